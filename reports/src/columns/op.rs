//! Columns of an operation.

use super::columns;
use crate::schema::OpRow;

columns! {
    /// Count and distribution of an operation's length.
    OP: OpRow {
        "count" [key] "" "count" Count Neutral Own "How often the operation ended." => |r| Some(r.count);
        "total_ns" [key] "" "total" Ns Lower Own "Sum of its lengths over all CPUs." => |r| Some(r.total_ns);
        "mean_ns" [key] "" "mean" Ns Lower Own "Mean length." => |r| Some(r.mean_ns);
        "min_ns" [key] "" "min" Ns Lower Own "Shortest." => |r| r.min_ns;
        "p50_ns" [key] "" "p50" Ns Lower Own "Median length." => |r| Some(r.p50_ns);
        "p90_ns" [key] "" "p90" Ns Lower Own "90th percentile." => |r| r.p90_ns;
        "p99_ns" [key] "" "p99" Ns Lower Own "99th percentile." => |r| Some(r.p99_ns);
        "p999_ns" [key] "" "p99.9" Ns Lower Own "99.9th percentile." => |r| Some(r.p999_ns);
        "max_ns" [key] "" "max" Ns Lower Own "Longest." => |r| Some(r.max_ns);
    }
}
