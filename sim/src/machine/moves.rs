//! Moves of lines between cores, kept for a trace.
//!
//! Only what a sharer caused is a move: a line that another core had, or the end of sharing it. First
//! touches of cold memory are not, or they would bury the rest.

use pamt_strategies::measure::{Recorder, Transfer};
use pamt_strategies::units::{CpuId, Cycles, LINE_BYTES};

use super::coherence::{Access, Coherence, Request, Served, Want};
use super::line::{LineState, LineWord, NONE};

/// A line that came to a core, or became its alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    access: Access,
    from: Option<u16>,
    owned: bool,
    at: u64,
    done: u64,
}

impl Coherence {
    /// Who makes an access to this line a move, if anybody: the other core that owns it, or nobody in
    /// particular among its sharers.
    fn sharer(&self, a: Access) -> Option<Option<u16>> {
        match LineWord(self.memory.line_word(a.addr)).state() {
            LineState::Memory => None,
            LineState::Owned { core, .. } => (core != a.core).then_some(Some(core)),
            LineState::Record(index) => {
                let record = self.records.get(index);
                if record.owner != NONE {
                    return (record.owner != a.core).then_some(Some(record.owner));
                }
                (record.other_sharers(a.core) > 0).then_some(None)
            }
        }
    }

    /// Performs an access and notes the move that it was, unless the core had what it wanted.
    pub(super) fn access_traced(&mut self, r: Request) -> Served {
        let sharer = self.sharer(r.a);
        let served = self.access_line(r);
        if let (Some(from), Some(moves), false) = (sharer, &mut self.moves, served.hit) {
            let owned = r.want != Want::Load;
            moves.push(Move { access: r.a, from, owned, at: r.now, done: served.done });
        }
        served
    }

    /// Hands on what was noted.
    #[cold]
    pub(super) fn report_moves(&mut self, recorder: &mut Recorder) {
        for moved in self.moves.iter_mut().flat_map(|moves| moves.drain(..)) {
            let object = self.memory.object(moved.access.object);
            let transfer = Transfer {
                object: &object.name,
                line: (moved.access.addr - object.base) / LINE_BYTES,
                // A core's first thread has the core's number.
                from: moved.from.map(CpuId),
                owned: moved.owned,
                length: Cycles(moved.done.saturating_sub(moved.at)),
            };
            recorder.transferred(moved.access.cpu, Cycles(moved.at), &transfer);
        }
    }
}
