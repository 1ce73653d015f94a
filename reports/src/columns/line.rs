//! Columns of a cache line: the Shared Data Cache Line Table of perf c2c, then what no sample can give.

use super::columns;
use crate::schema::LineCounts;

columns! {
    /// A line, or all lines of an object together.
    LINE: LineCounts {
        "total_hitm" [computed] "Load Hitm" "Total" Count Lower PerfC2c "Loads and locked operations served by a modified copy elsewhere: lcl_hitm + rmt_hitm." => |r| Some(r.total_hitm());
        "lcl_hitm" [key] "Load Hitm" "LclHitm" Count Lower PerfC2c "Served by a modified copy in this node." => |r| Some(r.lcl_hitm);
        "rmt_hitm" [key] "Load Hitm" "RmtHitm" Count Lower PerfC2c "Served by a modified copy in another node." => |r| Some(r.rmt_hitm);
        "total_records" [key] "" "records" Count Neutral PerfC2c "All accesses." => |r| Some(r.total_records);
        "total_loads" [key] "" "Loads" Count Neutral PerfC2c "All loads." => |r| Some(r.total_loads);
        "total_stores" [key] "" "Stores" Count Neutral PerfC2c "All stores, locked operations included." => |r| Some(r.total_stores);
        "store_l1_hit" [key] "Stores" "L1Hit" Count Neutral PerfC2c "Stores to a line held exclusively." => |r| Some(r.store_l1_hit);
        "store_l1_miss" [key] "Stores" "L1Miss" Count Lower PerfC2c "Stores to a line not held exclusively." => |r| Some(r.store_l1_miss);
        "store_na" [key] "Stores" "N/A" Count Neutral PerfC2c "Stores of unknown level." => |r| Some(r.store_na);
        "load_fb" [key] "Core Load Hit" "FB" Count Neutral PerfC2c "Loads that hit a fill buffer." => |r| Some(r.load_fb);
        "load_l1_hit" [key] "Core Load Hit" "L1" Count Neutral PerfC2c "Loads that hit L1." => |r| Some(r.load_l1_hit);
        "load_l2_hit" [key] "Core Load Hit" "L2" Count Neutral PerfC2c "Loads that hit L2." => |r| Some(r.load_l2_hit);
        "llc_lcl_hit" [key] "LLC Load Hit" "LclHit" Count Neutral PerfC2c "Loads served by the last-level cache or a clean copy in this node." => |r| Some(r.llc_lcl_hit);
        "rmt_hit" [key] "RMT Load Hit" "RmtHit" Count Lower PerfC2c "Loads served by a clean copy in another node." => |r| Some(r.rmt_hit);
        "dram_lcl" [key] "Load Dram" "Lcl" Count Neutral PerfC2c "Loads served by this node's memory." => |r| Some(r.dram_lcl);
        "dram_rmt" [key] "Load Dram" "Rmt" Count Lower PerfC2c "Loads served by another node's memory." => |r| Some(r.dram_rmt);
        "bounces" [key] "extension" "bounces" Count Lower Own "Moves of the line from one CPU's cache to another's." => |r| r.bounces;
        "rfo" [key] "extension" "RFO" Count Lower Own "Reads for ownership: stores and locked operations that found no copy here." => |r| r.rfo;
        "upgrades" [key] "extension" "upgrades" Count Lower Own "Stores and locked operations that found a shared copy here (S to M)." => |r| r.upgrades;
        "invalidations" [key] "extension" "invalidations" Count Lower Own "Copies in other caches that stores and locked operations invalidated." => |r| r.invalidations;
        "transfer_ns" [key] "extension" "transfer" Ns Lower Own "Time that CPUs spent on moving the line, queueing excluded." => |r| r.transfer_ns;
        "wait_ns" [key] "extension" "queueing" Ns Lower Own "Time that requests queued at the line." => |r| r.wait_ns;
    }
}
