//! Every leaf through the real instruction, with the statuses of the module's rules.

use pamt_hw::Device;
use pamt_hw::abi::{self, Leaf, Page};
use pamt_strategies::module::{Operand, Status, StatusName};

use crate::system::{Emulator, Helper, Outcome, ensure, text};

const NON_LEAF_PAMT: u64 = 1 << 63 | 15;

fn call(device: &Device, mut leaf: Leaf) -> Result<Leaf, String> {
    device.leaf(&mut leaf).map_err(text)?;
    ensure!(leaf.tsc_end >= leaf.tsc_start && leaf.tsc_start > 0, "no time stamps");
    Ok(leaf)
}

fn expect(device: &Device, what: &str, leaf: Leaf, status: Status) -> Result<Leaf, String> {
    let done = call(device, leaf)?;
    let got = Status(done.status);
    ensure!(got == status, "{what}: {got} instead of {status}");
    Ok(done)
}

/// PAMT.ADD, PAMT.REMOVE, PAGE.RDMD at three levels and SYS.RD, in and out of order.
pub(super) fn every_leaf() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let device = Device::open().map_err(text)?;
    device.alloc(3).map_err(text)?;
    let status = Status::with;
    let ok = Status::SUCCESS;
    let pair = [Page::new(2, 7), Page::new(1, 300)];
    let other = [Page::new(2, 8), Page::new(2, 9)];

    let none = status(StatusName::NoPamtPagePair, Operand::RCX);
    expect(&device, "REMOVE of nothing", Leaf::remove(0), none)?;
    let empty = expect(&device, "RDMD of nothing", Leaf::rdmd(Page::new(0, 0), 1), ok)?;
    ensure!(empty.value == 0, "RDMD of nothing: {:#x}", empty.value);

    expect(&device, "ADD", Leaf::add(0, pair), ok)?;
    let present = expect(&device, "RDMD 2M", Leaf::rdmd(Page::new(0, 0), 1), ok)?;
    ensure!(present.value == NON_LEAF_PAMT && present.pair == pair, "RDMD 2M: {present:x?}");
    expect(&device, "RDMD 4K", Leaf::rdmd(Page::new(0, 511), 0), ok)?;
    expect(&device, "RDMD 1G", Leaf::rdmd(Page::new(0, 0), 2), ok)?;

    let taken = status(StatusName::HpaRangeNotFree, Operand::RCX);
    expect(&device, "second ADD", Leaf::add(0, other), taken)?;
    let used = status(StatusName::PageNotFree, Operand::RDX);
    expect(&device, "ADD with a used page", Leaf::add(1, [pair[0], other[0]]), used)?;
    let twice = status(StatusName::PageNotFree, Operand::R8);
    expect(&device, "ADD with one page twice", Leaf::add(1, [other[0]; 2]), twice)?;
    // The failed ADD has given its first page back.
    expect(&device, "ADD inside its own region", Leaf::add(2, other), ok)?;

    for (region, given) in [(0, pair), (2, other)] {
        let back = expect(&device, "REMOVE", Leaf::remove(region), ok)?;
        ensure!(back.pair == given, "REMOVE returned {:?} instead of {given:?}", back.pair);
        expect(&device, "second REMOVE", Leaf::remove(region), none)?;
    }
    let field = |field| Leaf { field, ..Leaf::new(abi::SYS_RD, Page::new(0, 0)) };
    let size = expect(&device, "SYS.RD", field(0x9100_0001_0000_0011), ok)?;
    ensure!(size.value == 16, "PAMT_2M entry size {}", size.value);
    let unknown = call(&device, field(u64::MAX))?;
    ensure!(Status(unknown.status).is_error(), "SYS.RD of an unknown field succeeded");
    emulator.audit()?;
    Ok(format!("{} SEAMCALLs", emulator.read("calls")?))
}

/// What the helper refuses before any SEAMCALL.
pub(super) fn refused_operands() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let device = Device::open().map_err(text)?;
    device.alloc(2).map_err(text)?;
    let before = emulator.read("calls")?;
    let good = Leaf::add(0, [Page::new(1, 0), Page::new(1, 1)]);
    let refused = [
        Leaf { leaf: 0, ..good },
        Leaf { leaf: 15, ..good },
        Leaf { leaf: 9, ..good },
        Leaf { leaf: u32::MAX, ..good },
        Leaf { flags: 1, ..good },
        Leaf { reserved: 1, ..good },
        Leaf { level: 1, ..good },
        Leaf { field: 1, ..good },
        Leaf { target: Page::new(2, 0), ..good },
        Leaf { target: Page::new(u32::MAX, 0), ..good },
        Leaf { target: Page::new(0, 512), ..good },
        Leaf { pair: [Page::new(1, 0), Page::new(1, 512)], ..good },
        Leaf { pair: [Page::new(2, 0), Page::new(1, 1)], ..good },
        Leaf { pair: [Page::new(1, 0), Page::new(1, 1)], ..Leaf::remove(0) },
        Leaf::rdmd(Page::new(0, 0), 3),
    ];
    for mut leaf in refused {
        ensure!(device.leaf(&mut leaf).is_err(), "not refused: {leaf:?}");
    }
    ensure!(device.batch(&mut [], false).is_err(), "an empty batch was not refused");
    let mut many = vec![good; abi::BATCH_MAX as usize + 1];
    ensure!(device.batch(&mut many, false).is_err(), "a batch too long was not refused");
    ensure!(device.alloc(0).is_err(), "no regions were allocated");
    ensure!(device.alloc(u32::MAX).is_err(), "2^32 regions were allocated");
    ensure!(device.alloc(63).is_err(), "more than max_regions were allocated");
    ensure!(emulator.read("calls")? == before, "a refused call reached the module");
    device.free().map_err(text)?;
    ensure!(device.leaf(&mut { good }).is_err(), "a leaf on freed regions was not refused");
    Ok(format!("{} calls refused", refused.len() + 6))
}
