//! Simulated memory: values and the state of lines, in pages that exist once touched.
//!
//! An array of words gets a range of a simulated address space, never a host address. A 4 TiB host has
//! 2^30 PAMT entries of 16 bytes; of those only touched pages cost memory: 4 KiB of values and 8 bytes
//! of state a line.

use pamt_strategies::platform::{Field, Home, Place};
use pamt_strategies::units::{LINE_BYTES, NodeId};

use super::line::LineWord;

/// Bytes of a page of simulated memory.
const PAGE: u64 = 4096;
/// Bytes of a word: what is read or written lies in one.
const WORD: u64 = 8;
const LINES_PER_PAGE: usize = (PAGE / LINE_BYTES) as usize;

/// A touched page.
struct Page {
    words: [u64; PAGE as usize / WORD as usize],
    lines: [u64; LINES_PER_PAGE],
}

/// An array of words, as reports need it.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) base: u64,
    pub(super) bytes: u64,
    pub(super) record_bytes: u64,
    pub(super) fields: &'static [Field],
    home: Home,
}

/// Values, line states and the arrays they belong to.
#[derive(Default)]
pub(super) struct Memory {
    /// The pages of all addresses, as far as somebody has written to them.
    pages: Vec<Option<Box<Page>>>,
    touched: u64,
    objects: Vec<Object>,
    end: u64,
}

impl Page {
    const EMPTY: Self =
        Self { words: [0; PAGE as usize / WORD as usize], lines: [0; LINES_PER_PAGE] };
}

impl Memory {
    /// Lays out an array; returns its object id and first address.
    pub(super) fn place(&mut self, place: &Place, word_bytes: u32) -> (u32, u64, u32) {
        let stride = if place.stride_bytes == 0 { word_bytes } else { place.stride_bytes };
        assert!(
            stride >= word_bytes && stride.is_multiple_of(word_bytes),
            "{}: stride {stride} does not hold words of {word_bytes} bytes aligned",
            place.object
        );
        let align = u64::from(place.align).max(LINE_BYTES).next_power_of_two();
        let base = self.end.next_multiple_of(align);
        let bytes = (place.len as u64 * u64::from(stride)).next_multiple_of(LINE_BYTES);
        self.end = base + bytes;
        self.pages.resize_with(self.end.div_ceil(PAGE) as usize, || None);
        let record = if place.record_bytes == 0 { stride } else { place.record_bytes };
        let id = self.objects.len() as u32;
        self.objects.push(Object {
            name: place.object.clone(),
            base,
            bytes,
            record_bytes: u64::from(record),
            fields: place.fields,
            home: place.home,
        });
        (id, base, stride)
    }

    pub(super) fn object(&self, id: u32) -> &Object {
        &self.objects[id as usize]
    }

    pub(super) fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// Bytes of pages that exist.
    pub(super) fn touched_bytes(&self) -> u64 {
        self.touched * PAGE
    }

    /// Home of a line by its object's placement. `node_of_cpu` serves per-CPU arrays.
    pub(super) fn home(&self, object: u32, addr: u64, nodes: u64, node_of_cpu: &[u8]) -> NodeId {
        let object = self.object(object);
        let offset = (addr - object.base) / LINE_BYTES * LINE_BYTES;
        let node = match object.home {
            Home::Node(node) => return node,
            Home::Interleaved => (offset / LINE_BYTES) % nodes,
            Home::Split => offset * nodes / object.bytes.max(1),
            Home::PerCpu => {
                let record = (offset / object.record_bytes) as usize;
                u64::from(node_of_cpu.get(record).copied().unwrap_or(0))
            }
        };
        NodeId(node as u8)
    }

    #[inline]
    fn page(&mut self, addr: u64) -> &mut Page {
        let touched = &mut self.touched;
        self.pages[(addr / PAGE) as usize].get_or_insert_with(|| touch(touched))
    }

    /// State word of the line of `addr`.
    #[inline]
    pub(super) fn line(&mut self, addr: u64) -> &mut u64 {
        &mut self.page(addr).lines[(addr % PAGE / LINE_BYTES) as usize]
    }

    /// State word of the line of `addr`.
    #[inline]
    pub(super) fn line_word(&self, addr: u64) -> u64 {
        let page = self.pages[(addr / PAGE) as usize].as_deref();
        page.map_or(0, |page| page.lines[(addr % PAGE / LINE_BYTES) as usize])
    }

    /// Reads `bytes` (1, 2, 4 or 8) at `addr`, which is aligned to them.
    #[inline]
    pub(super) fn read(&self, addr: u64, bytes: u32) -> u64 {
        let page = self.pages[(addr / PAGE) as usize].as_deref();
        let word = page.map_or(0, |page| page.words[(addr % PAGE / WORD) as usize]);
        word >> (addr % WORD * 8) & mask(bytes)
    }

    /// Writes the low `bytes` of `value` at `addr`; returns the state of the line.
    #[inline]
    pub(super) fn write(&mut self, addr: u64, bytes: u32, value: u64) -> LineWord {
        let page = self.page(addr);
        let word = &mut page.words[(addr % PAGE / WORD) as usize];
        let (shift, mask) = (addr % WORD * 8, mask(bytes));
        *word = *word & !(mask << shift) | (value & mask) << shift;
        LineWord(page.lines[(addr % PAGE / LINE_BYTES) as usize])
    }

    /// Reads the `bytes` at `addr` and writes what `change` makes of them, if it makes anything. Returns
    /// what was there, and the state of the line, which is that of an unused one when nothing was written.
    #[inline]
    pub(super) fn change(
        &mut self,
        addr: u64,
        bytes: u32,
        change: impl FnOnce(u64) -> Option<u64>,
    ) -> (u64, LineWord) {
        let Some(page) = &mut self.pages[(addr / PAGE) as usize] else {
            let written = change(0).map(|new| self.write(addr, bytes, new));
            return (0, written.unwrap_or_default());
        };
        let word = &mut page.words[(addr % PAGE / WORD) as usize];
        let (shift, mask) = (addr % WORD * 8, mask(bytes));
        let old = *word >> shift & mask;
        let Some(new) = change(old) else {
            return (old, LineWord::default());
        };
        *word = *word & !(mask << shift) | (new & mask) << shift;
        (old, LineWord(page.lines[(addr % PAGE / LINE_BYTES) as usize]))
    }
}

#[cold]
fn touch(touched: &mut u64) -> Box<Page> {
    *touched += 1;
    Box::new(Page::EMPTY)
}

/// The low `bytes` of a word.
#[inline]
const fn mask(bytes: u32) -> u64 {
    u64::MAX >> (64 - 8 * bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_never_share_a_line_and_words_inside_do() {
        let mut memory = Memory::default();
        let (_, a, stride) = memory.place(&Place::packed("a", 3), 4);
        let (_, b, _) = memory.place(&Place::padded("b", 2), 4);
        assert_eq!((a, stride), (0, 4));
        assert_eq!(b, 64);
    }

    #[test]
    fn a_sub_word_write_leaves_its_neighbours() {
        let mut memory = Memory::default();
        let (_, base, _) = memory.place(&Place::packed("a", 2), 8);
        memory.write(base, 8, 0x1122_3344_5566_7788);
        memory.write(base + 2, 2, 0xabcd);
        memory.write(base + 7, 1, 0xff);
        assert_eq!(memory.read(base, 8), 0xff22_3344_abcd_7788);
        assert_eq!(memory.read(base + 4, 4), 0xff22_3344);
        assert_eq!(memory.read(base + 8, 8), 0);
    }

    #[test]
    fn four_terabytes_of_entries_cost_what_is_touched() {
        let mut memory = Memory::default();
        let (_, base, _) = memory.place(&Place::packed("pamt_4k", 1 << 31), 8);
        memory.write(base + (1 << 33), 8, 5);
        assert_eq!(memory.read(base + (1 << 30), 8), 0);
        assert_eq!(memory.touched_bytes(), PAGE);
    }

    #[test]
    fn homes_follow_the_placement() {
        let mut memory = Memory::default();
        let home = |memory: &Memory, id, addr| memory.home(id, addr, 2, &[0, 1]).0;
        let (split, base, _) = memory.place(&Place::padded("s", 4).home(Home::Split), 8);
        assert_eq!(home(&memory, split, base + 64), 0);
        assert_eq!(home(&memory, split, base + 128), 1);
        let (line, base, _) = memory.place(&Place::packed("l", 8).home(Home::Split), 8);
        assert_eq!(home(&memory, line, base + 56), 0, "a line has one home");
        let (lines, base, _) = memory.place(&Place::padded("i", 4).home(Home::Interleaved), 8);
        assert_eq!(home(&memory, lines, base + 64), 1);
        let (cpus, base, _) = memory.place(&Place::padded("c", 2).home(Home::PerCpu), 8);
        assert_eq!(home(&memory, cpus, base + 64), 1);
    }
}
