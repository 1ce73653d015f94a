//! Columns of the per-offset Pareto of perf c2c, with fields in place of symbols.

use super::columns;
use crate::schema::FieldRow;

columns! {
    /// One field of a line.
    FIELD: FieldRow {
        "rmt_hitm" [key] "HITM" "RmtHitm" Count Lower PerfC2c "Served by a modified copy in another node." => |r| r.rmt_hitm;
        "lcl_hitm" [key] "HITM" "LclHitm" Count Lower PerfC2c "Served by a modified copy in this node." => |r| r.lcl_hitm;
        "store_l1_hit" [key] "Store Refs" "L1 Hit" Count Neutral PerfC2c "Stores that hit." => |r| r.store_l1_hit;
        "store_l1_miss" [key] "Store Refs" "L1 Miss" Count Lower PerfC2c "Stores that did not." => |r| r.store_l1_miss;
        "offset" [key] "Data address" "Offset" Count Neutral PerfC2c "Byte offset in the line." => |r| Some(r.offset);
        "field" [key] "" "field" Word Neutral Own "Name of the field, or of the word in an array." => |r| Some(r.field.clone());
        "rmt_hitm_mean_ns" [key] "mean cost" "rmt hitm" Ns Lower PerfC2c "Mean cost of an access served by a remote modified copy." => |r| r.rmt_hitm_mean_ns;
        "lcl_hitm_mean_ns" [key] "mean cost" "lcl hitm" Ns Lower PerfC2c "Mean cost of an access served by a local modified copy." => |r| r.lcl_hitm_mean_ns;
        "total_records" [key] "" "records" Count Neutral PerfC2c "All accesses." => |r| Some(r.total_records);
        "cpu_cnt" [key] "" "cpu cnt" Count Lower PerfC2c "CPUs that touched it." => |r| Some(r.cpu_cnt);
    }
}
