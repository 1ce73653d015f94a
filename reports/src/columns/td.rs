//! Columns of a TD.

use super::columns;
use crate::schema::TdRow;

columns! {
    /// One TD, for fairness and victims.
    TD: TdRow {
        "td" [key] "" "TD" Count Neutral Own "Number of the TD." => |r| Some(r.td);
        "pages" [key] "" "pages" Pages Neutral Own "Pages that it was given or that were taken from it." => |r| Some(r.pages);
        "elapsed_ns" [key] "" "elapsed" Ns Lower Own "From its start to its last page done." => |r| Some(r.elapsed_ns);
        "lock_wait_ns" [key] "" "lock wait" Ns Lower Own "Time that its CPUs waited for locks." => |r| r.lock_wait_ns;
    }
}
