//! In which order threads are put on CPUs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pamt_sim::machine::Topology;
use pamt_strategies::platform::native::HostCpu;
use pamt_strategies::units::CpuId;
use thiserror::Error;

/// Order of CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PinOrder {
    /// Both threads of a core, then the next core: lockhammer's order in the published data.
    SmtFirst,
    /// One thread on each core, socket by socket, then the siblings.
    #[default]
    CoresFirst,
    /// Round robin over the last-level caches.
    Scatter,
    /// As a file lists them.
    List {
        /// The file.
        path: PathBuf,
        /// Numbers with the line that each stands on.
        cpus: Vec<(usize, u16)>,
    },
}

/// A pin order that cannot be used.
#[derive(Debug, Error)]
pub enum PinError {
    /// The file cannot be read.
    #[error("--pin {path}: {source}; give smt-first, cores-first, scatter or a readable file", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something in it is no CPU of the machine.
    #[error("{path}:{line}: {problem}; list CPU numbers, each once, for example `0 1 2`", path = path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// Where a CPU sits, for sorting.
#[derive(Clone, Copy)]
struct Seat {
    cpu: usize,
    /// Rank of its last-level cache.
    llc: usize,
    /// Rank of its core.
    core: usize,
    /// Rank of its core in its last-level cache.
    core_in_llc: usize,
    /// Rank among the threads of its core.
    thread: usize,
}

impl PinOrder {
    /// The order of this name, or of the file at this path.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else than numbers.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        match text {
            "smt-first" => Ok(Self::SmtFirst),
            "cores-first" => Ok(Self::CoresFirst),
            "scatter" => Ok(Self::Scatter),
            path => Self::read(Path::new(path)),
        }
    }

    fn read(path: &Path) -> Result<Self, PinError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PinError::Read { path: path.to_owned(), source })?;
        let mut cpus: Vec<(usize, u16)> = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default();
            let entry = |problem: String| PinError::Entry { path: path.to_owned(), line, problem };
            for word in content.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
                let cpu = word.parse().map_err(|_| entry(format!("`{word}` is no CPU number")))?;
                if cpus.iter().any(|(_, known)| *known == cpu) {
                    return Err(entry(format!("CPU {cpu} stands there twice")));
                }
                cpus.push((line, cpu));
            }
        }
        Ok(Self::List { path: path.to_owned(), cpus })
    }

    /// Name in results.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::SmtFirst => "smt-first".into(),
            Self::CoresFirst => "cores-first".into(),
            Self::Scatter => "scatter".into(),
            Self::List { path, .. } => path.display().to_string(),
        }
    }

    /// CPUs of a simulated machine in this order.
    ///
    /// # Errors
    /// A file that names a CPU which the machine lacks.
    pub fn cpus(&self, topology: &Topology) -> Result<Vec<CpuId>, PinError> {
        let seats = (0..topology.cpus()).map(|cpu| {
            let id = CpuId(cpu as u16);
            let core = topology.core_of(id);
            let thread = usize::from(topology.thread_of(id));
            (cpu, usize::from(topology.llc_of(core)), usize::from(core), thread)
        });
        let sorted = self.sorted(&rank(seats.collect()))?;
        Ok(sorted.into_iter().map(|cpu| CpuId(cpu as u16)).collect())
    }

    /// Numbers of this host's CPUs in this order.
    ///
    /// # Errors
    /// A file that names a CPU which this process may not run on.
    pub fn host_cpus(&self, host: &[HostCpu]) -> Result<Vec<usize>, PinError> {
        // Cores and caches are named by their first CPU; sockets come first.
        let key = |cpu: &HostCpu, of: u16| usize::from(cpu.socket) << 16 | usize::from(of);
        let seats = host
            .iter()
            .map(|cpu| (cpu.number, key(cpu, cpu.place.llc), key(cpu, cpu.place.core), cpu.number));
        self.sorted(&rank(seats.collect()))
    }

    fn sorted(&self, seats: &[Seat]) -> Result<Vec<usize>, PinError> {
        let by = |key: fn(&Seat) -> (usize, usize, usize)| {
            let mut seats = seats.to_vec();
            seats.sort_by_key(key);
            seats.iter().map(|seat| seat.cpu).collect()
        };
        match self {
            Self::SmtFirst => Ok(by(|seat| (seat.core, seat.thread, 0))),
            Self::CoresFirst => Ok(by(|seat| (seat.thread, seat.core, 0))),
            Self::Scatter => Ok(by(|seat| (seat.thread, seat.core_in_llc, seat.llc))),
            Self::List { path, cpus } => {
                let known = |(line, cpu): &(usize, u16)| {
                    let cpu = usize::from(*cpu);
                    let there = seats.iter().any(|seat| seat.cpu == cpu);
                    there.then_some(cpu).ok_or_else(|| PinError::Entry {
                        path: path.clone(),
                        line: *line,
                        problem: format!("there is no CPU {cpu} to run on"),
                    })
                };
                cpus.iter().map(known).collect()
            }
        }
    }
}

/// Seats from (CPU, cache, core, thread) in any numbering.
fn rank(places: Vec<(usize, usize, usize, usize)>) -> Vec<Seat> {
    let mut cores: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (_, llc, core, thread) in &places {
        cores.entry((*llc, *core)).or_default().push(*thread);
    }
    let seat = |(cpu, llc, core, thread): (usize, usize, usize, usize)| {
        let before = cores.range(..(llc, core));
        Seat {
            cpu,
            llc,
            core: before.clone().count(),
            core_in_llc: before.filter(|((of, _), _)| *of == llc).count(),
            thread: cores[&(llc, core)].iter().filter(|other| **other < thread).count(),
        }
    };
    places.into_iter().map(seat).collect()
}

#[cfg(test)]
mod tests {
    use pamt_strategies::measure::CpuPlace;

    use super::*;

    #[test]
    fn orders_visit_each_cpu_once() {
        let topology = Topology::simple(2, 3, 2);
        let first = |order: PinOrder| {
            let cpus = order.cpus(&topology).expect("no file");
            let mut sorted = cpus.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..12).map(CpuId).collect::<Vec<_>>(), "{order:?}");
            [cpus[0].0, cpus[1].0, cpus[2].0]
        };
        assert_eq!(first(PinOrder::SmtFirst), [0, 6, 1]);
        assert_eq!(first(PinOrder::CoresFirst), [0, 1, 2]);
        assert_eq!(first(PinOrder::Scatter), [0, 3, 1]);
    }

    #[test]
    fn a_host_is_ordered_like_a_machine_whatever_its_numbers() {
        // Two sockets of two cores; siblings are neighbours in the kernel's numbers.
        let cpu = |number: usize, socket, core| HostCpu {
            number,
            place: CpuPlace { core, llc: socket * 4, node: 0 },
            socket,
        };
        let host: Vec<_> =
            (0..8).map(|n| cpu(n, (n / 4) as u16, (n / 2 * 2) as u16)).rev().collect();
        let order = |order: PinOrder| order.host_cpus(&host).expect("no file");
        assert_eq!(order(PinOrder::SmtFirst), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(order(PinOrder::CoresFirst), [0, 2, 4, 6, 1, 3, 5, 7]);
        assert_eq!(order(PinOrder::Scatter), [0, 4, 2, 6, 1, 5, 3, 7]);
    }

    #[test]
    fn a_file_lists_cpus_and_its_faults_are_named_with_their_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("order");
        let order = |text: &str| {
            std::fs::write(&path, text).expect("written");
            let order = PinOrder::parse(path.to_str().expect("text"))?;
            order.cpus(&Topology::simple(1, 4, 1))
        };
        assert_eq!(order("# far first\n3,1\n0\n").expect("fine"), [3, 1, 0].map(CpuId));
        for (text, fault) in [("0\n9", "order:2"), ("0 0", "twice"), ("0\n\nx", "order:3: `x`")] {
            let message = order(text).expect_err("refused").to_string();
            assert!(message.contains(fault), "{message}");
        }
        let message = PinOrder::parse("smt").expect_err("no such file").to_string();
        assert!(message.contains("smt-first"), "{message}");
    }
}
