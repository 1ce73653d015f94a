//! Loads from each level of the caches: a walk over a random circle of lines, each naming the next.

use std::fs;
use std::time::{Duration, Instant};

use pamt_strategies::platform::native::HostCpu;
use rand_core::Rng;
use rand_pcg::Pcg64;

use super::crew::on;
use super::figure::Figure;
use super::patience::{Limits, Patience};

/// Sizes of the caches of CPU 0, in KiB, as sysfs tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) l1_kib: Option<u64>,
    pub(super) l2_kib: Option<u64>,
    pub(super) llc_kib: Option<u64>,
}

/// ns a load.
pub(super) struct Levels {
    pub(super) sizes: Sizes,
    pub(super) l1: Figure,
    pub(super) l2: Option<Figure>,
    pub(super) llc: Option<Figure>,
    /// From memory of the CPU's own socket, and whether the circle was larger than the cache.
    pub(super) dram_local: (Figure, bool),
    /// From memory of another socket.
    pub(super) dram_near: Option<(Figure, bool)>,
    /// ns a line of a sequential read, and of a clear, of memory.
    pub(super) scan_line: Figure,
    pub(super) store_line: Figure,
}

/// A line that names the next one of the circle.
#[repr(align(64))]
#[derive(Clone, Copy)]
struct Link {
    next: usize,
}

const LINE: u64 = 64;
const WINDOWS: usize = 40;
/// Loads of a window.
const LOADS: usize = 4000;
/// Lines that are linked between two looks at the clock.
const LINKS: usize = 1 << 14;
/// Loads that bring a circle into the caches, at most.
const WARM_UP: usize = 4_000_000;
/// A circle in memory needs no more than this, and takes no more than a quarter of what is free.
const DRAM_MOST: u64 = 1 << 30;

pub(super) fn measure(cpus: &[HostCpu], limits: &Limits) -> Levels {
    let first = cpus[0];
    let sizes = sizes();
    let cache = |kib: Option<u64>| kib.map(|kib| kib << 10);
    let l2 = cache(sizes.l2_kib);
    // Between two levels: several times the smaller, a fraction of the larger.
    let in_llc = l2.zip(cache(sizes.llc_kib)).map(|(l2, llc)| (4 * l2).min(llc / 4));
    let large = memory_circle(cache(sizes.llc_kib));
    let beyond = |bytes| cache(sizes.llc_kib).is_some_and(|llc| bytes > 3 * llc / 2);
    let far = cpus.iter().find(|cpu| cpu.socket != first.socket);
    let dram = |home: usize| {
        let (figure, bytes) = circle_at(first.number, home, large, limits.memory);
        (figure, beyond(bytes))
    };
    let level = |bytes: u64| on(first.number, || circle(bytes, limits.level));
    let (scan_line, store_line) = on(first.number, || streams(limits.level));
    Levels {
        l1: level(8 << 10),
        l2: l2.map(|l2| level(l2 / 3)),
        llc: in_llc.map(level),
        dram_local: dram(first.number),
        dram_near: far.map(|cpu| dram(cpu.number)),
        sizes,
        scan_line,
        store_line,
    }
}

/// Sizes as sysfs tells them.
fn sizes() -> Sizes {
    let mut sizes = Sizes::default();
    let entries =
        fs::read_dir("/sys/devices/system/cpu/cpu0/cache").into_iter().flatten().flatten();
    for cache in entries.map(|entry| entry.path()) {
        let read = |name: &str| Some(fs::read_to_string(cache.join(name)).ok()?.trim().to_owned());
        let (Some(level), Some(kind), Some(size)) = (read("level"), read("type"), read("size"))
        else {
            continue;
        };
        let kib = size.strip_suffix('K').and_then(|size| size.parse().ok());
        match (level.as_str(), kind.as_str()) {
            ("1", "Data") => sizes.l1_kib = kib,
            ("2", _) => sizes.l2_kib = kib,
            ("3", _) => sizes.llc_kib = kib,
            _ => {}
        }
    }
    sizes
}

/// Bytes of a circle that should not fit a cache: twice the cache, within what the host can spare.
fn memory_circle(llc: Option<u64>) -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let free_kib =
        free.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let spare = free_kib.map_or(64 << 20, |kib| (kib << 10) / 4);
    (2 * llc.unwrap_or(64 << 20)).clamp(64 << 20, DRAM_MOST).min(spare)
}

/// Loads by one CPU from a circle that another touched first, and the bytes of the circle.
fn circle_at(cpu: usize, home: usize, bytes: u64, limit: Duration) -> (Figure, u64) {
    let links = on(home, || links(bytes, &Patience::of(limit)));
    (on(cpu, || walk(&links, &Patience::of(limit))), links.len() as u64 * LINE)
}

fn circle(bytes: u64, limit: Duration) -> Figure {
    walk(&links(bytes, &Patience::of(limit)), &Patience::of(limit))
}

/// A random circle through all lines: every line is visited before one is again. Each line in turn is put behind
/// one of those before it, which makes all circles alike likely (Sattolo's algorithm, from inside out), and leaves a
/// smaller circle when time runs out.
fn links(bytes: u64, patience: &Patience) -> Vec<Link> {
    let count = (bytes / LINE).max(2) as usize;
    let mut links: Vec<Link> = Vec::with_capacity(count);
    huge_pages(&mut links);
    links.push(Link { next: 0 });
    let mut random = Pcg64::new(1, 1);
    for i in 1..count {
        if i % LINKS == 0 && patience.is_over() {
            break;
        }
        let before = &mut links[(random.next_u64() % i as u64) as usize].next;
        let next = std::mem::replace(before, i);
        links.push(Link { next });
    }
    // From numbers to addresses: the load that is timed should not wait for arithmetic.
    let base = links.as_ptr();
    for link in &mut links {
        link.next = base.wrapping_add(link.next).addr();
    }
    links
}

/// Asks for huge pages, so that TLB misses do not count as memory; a kernel that refuses is no error.
fn huge_pages(links: &mut Vec<Link>) {
    const PAGE: usize = 4096;
    let (from, to) = (links.as_mut_ptr(), links.capacity() * size_of::<Link>());
    let skip = from.addr().next_multiple_of(PAGE) - from.addr();
    let length = to.saturating_sub(skip) / PAGE * PAGE;
    if length > 0 {
        // SAFETY: the range lies in the allocation, and this advice changes no contents.
        let _ = unsafe {
            let start = from.cast::<u8>().add(skip).cast();
            rustix::mm::madvise(start, length, rustix::mm::Advice::LinuxHugepage)
        };
    }
}

fn walk(links: &[Link], patience: &Patience) -> Figure {
    let mut at: *const Link = links.as_ptr();
    let mut steps = |n: usize| {
        for _ in 0..n {
            // SAFETY: every link holds the address of one of `links`, which outlive the walk.
            at = links.as_ptr().with_addr(unsafe { (*at).next });
        }
    };
    // Once around, or far enough, so that caches hold what they can.
    let mut left = links.len().min(WARM_UP);
    while left > 0 && !patience.is_over() {
        let some = left.min(LOADS);
        steps(some);
        left -= some;
    }
    let figure = patience.windows(WINDOWS, |_| {
        let begun = Instant::now();
        steps(LOADS);
        begun.elapsed().as_nanos() as f64 / LOADS as f64
    });
    std::hint::black_box(at);
    figure
}

/// ns a line of reading and of clearing memory in order, a page at a time.
fn streams(limit: Duration) -> (Figure, Figure) {
    const PAGE_WORDS: usize = 512;
    const PAGES: usize = 8192;
    let mut memory = vec![1_u64; PAGES * PAGE_WORDS];
    let per_line = |begun: Instant| begun.elapsed().as_nanos() as f64 / (PAGE_WORDS / 8) as f64;
    let patience = Patience::of(limit);
    let clears = patience.windows(PAGES, |page| {
        let page = &mut memory[page * PAGE_WORDS..][..PAGE_WORDS];
        let begun = Instant::now();
        page.fill(0);
        std::hint::black_box(&page);
        per_line(begun)
    });
    let patience = Patience::of(limit);
    let scans = patience.windows(PAGES, |page| {
        let page = &memory[page * PAGE_WORDS..][..PAGE_WORDS];
        let begun = Instant::now();
        std::hint::black_box(
            page.iter().step_by(8).fold(0_u64, |sum, word| sum.wrapping_add(*word)),
        );
        per_line(begun)
    });
    (scans, clears)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Lines a second that a circle grows by, and that are loaded, at least: from another socket, by small pages.
    const LINKED: u64 = 10_000_000;
    const LOADED: u64 = 2_500_000;

    /// What all walks of a host should take at most.
    pub(in crate::calibrate) fn expected(cpus: &[HostCpu]) -> Duration {
        let sockets = cpus.iter().map(|cpu| cpu.socket).collect::<std::collections::BTreeSet<_>>();
        let circle = |lines: u64| {
            let loads = lines.min(WARM_UP as u64) + (WINDOWS * LOADS) as u64;
            Duration::from_secs(1) * (lines * 1000 / LINKED) as u32 / 1000
                + Duration::from_secs(1) * (loads * 1000 / LOADED) as u32 / 1000
        };
        // Three levels, of which the last one and memory are as large as can be.
        circle(128)
            + circle(1 << 15)
            + circle(1 << 20)
            + circle(DRAM_MOST / LINE) * sockets.len().min(2) as u32
    }

    /// How often each limit counts: circle and walk of three levels, two streams; circle and walk in memory of two
    /// sockets.
    pub(in crate::calibrate) const LEVEL_LIMITS: u32 = 2 * 3 + 2;
    pub(in crate::calibrate) const MEMORY_LIMITS: u32 = 2 * 2;

    #[test]
    fn a_circle_passes_every_line_before_it_closes() {
        let links = links(64 * 100, &Patience::of(Duration::MAX));
        let base = links.as_ptr().addr();
        let mut at = 0;
        let mut seen = vec![false; links.len()];
        for _ in 0..links.len() {
            assert!(!seen[at]);
            seen[at] = true;
            at = (links[at].next - base) / 64;
        }
        assert_eq!((links.len(), at), (100, 0));
    }

    #[test]
    fn a_circle_that_takes_too_long_is_a_smaller_one_and_is_walked_once() {
        let (figure, bytes) = circle_at(0, 0, 64 * 2 * LINKS as u64, Duration::ZERO);
        assert_eq!(bytes, 64 * LINKS as u64);
        assert!(figure.least > 0.0);
        assert_eq!(figure.cut(), Some(format!("1 of {WINDOWS} windows")));
    }
}
