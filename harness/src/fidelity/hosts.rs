//! Hosts of the shipped curves, and the profiles that stand for them.

/// A host that published its curves.
#[derive(Debug)]
pub struct PublishedHost {
    /// Name in the rows.
    pub name: &'static str,
    /// Profile that models it.
    pub machine: &'static str,
    /// Order in which its threads were pinned.
    pub pin: &'static str,
}

/// Hosts of which rows are shipped. Of x86-3, x86-4 and 8x8176 those are rows to fit a profile on, and no others.
pub static HOSTS: &[PublishedHost] = &[
    PublishedHost { name: "x86-1", machine: "epyc-7601", pin: "smt-first" },
    PublishedHost { name: "x86-2", machine: "lockhammer-x86-2", pin: "smt-first" },
    PublishedHost { name: "x86-3", machine: "lockhammer-x86-3", pin: "smt-first" },
    PublishedHost { name: "x86-4", machine: "lockhammer-x86-4", pin: "smt-first" },
    PublishedHost { name: "8x8176", machine: "skx-8s", pin: "cores-first" },
];
