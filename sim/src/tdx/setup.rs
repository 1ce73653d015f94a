//! A TD in a given state, without the calls that lead there: for workloads that start in the middle.
//!
//! Meant for [`Platform::prepare`], where nothing takes time.

use pamt_strategies::module::{Operand, Status, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::Pfn;

use super::cx::{Cx, Exit, Mode, Step, fail};
use super::kot::{KotState, PRIVATE_HKIDS};
use super::layout::{PageType, tdcs, tdr};
use super::memory::Object;
use super::module::Module;
use super::td::{Lifecycle, OpState, TDCX_PAGES, Td};

/// The pages of a TD. Their regions have pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdPages {
    /// Root page.
    pub tdr: Pfn,
    /// TDCS pages; the fourth is the root table of the Secure EPT.
    pub tdcx: [Pfn; TDCX_PAGES as usize],
}

/// Index of the root table among the TDCS pages.
pub(super) const SEPT_ROOT: usize = 3;

impl<P: Platform> Module<P> {
    /// Makes a TD in operation state RUNNABLE, with an empty Secure EPT.
    ///
    /// # Errors
    /// The status of the page that could not be taken.
    pub fn create_td_for_setup(&self, cpu: &P::Cpu, pages: TdPages) -> Result<(), Status> {
        self.untimed(cpu, |cx| create(cx, pages))
    }

    /// Brings a TD to life cycle state TEARDOWN: its pages may be reclaimed.
    ///
    /// # Errors
    /// The status, when `tdr` is no TD.
    pub fn tear_down_for_setup(&self, cpu: &P::Cpu, tdr: Pfn) -> Result<(), Status> {
        self.untimed(cpu, |cx| {
            let td = cx.td(tdr.hpa(), Mode::Exclusive, Operand::RCX)?;
            let hkid = cx.load(Object::Tdr, td.tdr + tdr::HKID);
            cx.set_kot_state(hkid, KotState::Free);
            cx.set_lifecycle(&td, Lifecycle::Teardown);
            Ok(())
        })
    }

    fn untimed(&self, cpu: &P::Cpu, steps: impl FnOnce(&Cx<'_, P>) -> Step) -> Result<(), Status> {
        let cx = Cx::new(self, cpu, None);
        let ended = steps(&cx);
        match cx.release_all().and(ended) {
            Ok(()) => Ok(()),
            Err(Exit::Status(status)) => Err(status),
            Err(Exit::Fatal(_) | Exit::Full(_)) => {
                Err(Status::with(StatusName::SysShutdown, Operand(0)))
            }
        }
    }
}

fn create<P: Platform>(cx: &Cx<'_, P>, pages: TdPages) -> Step {
    let at = cx.walk_free_page(pages.tdr.hpa(), Operand::RCX)?;
    let slot = cx.claim_record(&cx.module.tds, at.pfn, "tds")?;
    let td = Td { at, tdr: slot * tdr::WORDS, tdcs: slot * tdcs::WORDS };
    let Some(hkid) = PRIVATE_HKIDS.clone().nth(slot) else {
        return fail(StatusName::HkidNotFree, Operand::RDX);
    };
    cx.store(Object::Tdr, td.tdr + tdr::HKID, hkid);
    cx.set_kot_state(hkid, KotState::Assigned);
    cx.assign(at, PageType::Tdr, Pfn(0));
    cx.count_page(at)?;
    cx.release_all()?;
    for (index, page) in pages.tdcx.into_iter().enumerate() {
        let at = cx.walk_free_page(page.hpa(), Operand::RCX)?;
        if index == SEPT_ROOT {
            cx.new_table(page)?;
        }
        cx.assign(at, PageType::Tdcx, pages.tdr);
        cx.count_page(at)?;
        cx.release_all()?;
    }
    cx.store(Object::Tdr, td.tdr + tdr::CHLDCNT, TDCX_PAGES.into());
    cx.store16(Object::Tdr, td.tdr, tdr::NUM_TDCX, TDCX_PAGES);
    cx.set_lifecycle(&td, Lifecycle::KeysConfigured);
    cx.store(Object::Tdcs, td.tdcs + tdcs::EPTP, pages.tdcx[SEPT_ROOT].0);
    cx.store(Object::Tdcs, td.tdcs + tdcs::TD_EPOCH, 1);
    cx.set_op_state(&td, OpState::Runnable);
    Ok(())
}
