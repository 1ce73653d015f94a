//! Columns of a strategy's memory.

use super::columns;
use crate::schema::Memory;

columns! {
    /// What a strategy costs in memory.
    MEMORY: Memory {
        "pamt_pages_peak" [key] "module" "pages, peak" Pages Lower Own "PAMT pages that the module held, at most." => |r| r.pamt_pages_peak;
        "pamt_pages_end" [key] "module" "pages, end" Pages Lower Own "PAMT pages that the module held at the end." => |r| r.pamt_pages_end;
        "cache_pages_peak" [key] "host" "cache pages" Pages Lower Own "Pages held in the caches of vCPUs, topped up and not given to the module, at most." => |r| r.cache_pages_peak;
        "unmappable_regions_peak" [key] "host" "unmappable 2M" Count Lower Own "2 MiB regions that hold a backing page and so cannot become one guest mapping, at most." => |r| r.unmappable_regions_peak;
        "strategy_bytes" [key] "host" "own memory" Bytes Lower Own "Kernel memory of the strategy itself: refcounts and locks." => |r| r.strategy_bytes;
    }
}
