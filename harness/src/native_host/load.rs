//! What others took of the CPUs: the counters of `/proc/stat`, before and after.

use std::fs;
use std::path::Path;

/// Ticks since the system started, all CPUs together (proc(5): user, nice, system, idle, iowait, irq,
/// softirq, steal), and this process's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    total: u64,
    idle: u64,
    steal: u64,
    own: u64,
}

/// What others took, as shares of the time of all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Taken {
    /// By the hypervisor, for other guests.
    pub(super) steal_frac: f64,
    /// By other processes and the kernel.
    pub(super) others_frac: f64,
}

impl Ticks {
    /// The counters now.
    pub(super) fn now(root: &Path) -> Result<Self, String> {
        let stat = text(root, "proc/stat")?;
        let cpus = stat.lines().next().unwrap_or_default();
        let numbers: Vec<u64> =
            cpus.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        let &[user, nice, system, idle, iowait, irq, softirq, steal, ..] = &numbers[..] else {
            return Err("unavailable, because /proc/stat has another form".into());
        };
        let own = own_ticks(&text(root, "proc/self/stat")?)
            .ok_or("unavailable, because /proc/self/stat has another form")?;
        let total = user + nice + system + idle + iowait + irq + softirq + steal;
        Ok(Self { total, idle: idle + iowait, steal, own })
    }

    /// What others took since `before`; `None` if no tick has passed.
    pub(super) fn since(self, before: Self) -> Option<Taken> {
        let total = self.total.saturating_sub(before.total);
        let (idle, steal) = (self.idle.saturating_sub(before.idle), self.steal - before.steal);
        let own = self.own.saturating_sub(before.own);
        let others = total.saturating_sub(idle + steal + own);
        (total > 0).then(|| Taken {
            steal_frac: steal as f64 / total as f64,
            others_frac: others as f64 / total as f64,
        })
    }
}

fn text(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path))
        .map_err(|error| format!("unavailable, because /{path} cannot be read: {error}"))
}

/// Fields 14 and 15 of proc(5)'s stat, after the program's name, which may hold spaces.
fn own_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_what_is_neither_idle_nor_stolen_nor_ours() {
        let before = Ticks { total: 1000, idle: 500, steal: 10, own: 100 };
        let after = Ticks { total: 1200, idle: 550, steal: 30, own: 180 };
        let taken = after.since(before).expect("ticks have passed");
        assert_eq!(taken, Taken { steal_frac: 0.1, others_frac: 0.25 });
        assert_eq!(before.since(before), None);
    }

    #[test]
    fn a_program_name_with_spaces_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 40 2 0";
        assert_eq!(own_ticks(stat), Some(42));
    }

    #[test]
    fn this_host_has_counters() {
        assert!(Ticks::now(Path::new("/")).is_ok());
    }
}
