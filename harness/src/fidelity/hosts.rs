//! Hosts of the shipped curves, and the profiles that stand for them.

/// A host that published its curves.
#[derive(Debug)]
pub struct PublishedHost {
    /// Name in the rows.
    pub name: &'static str,
    /// Profile that models it.
    pub machine: &'static str,
}

/// Hosts of which unseen rows are shipped and a profile exists.
pub static HOSTS: &[PublishedHost] = &[
    PublishedHost { name: "x86-1", machine: "epyc-7601" },
    PublishedHost { name: "x86-2", machine: "lockhammer-x86-2" },
];
