//! The profiles in the binary: one file each in `machines/`.

use super::Profile;
use super::error::ProfileError;
use super::keys::nearest;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../machines/", $name, ".toml")))),*]
    };
}

static BUILTINS: &[(&str, &str)] = embedded![
    "spr-2s",
    "spr-1s-ws",
    "emr-2s",
    "gnr-2s",
    "icx-2s",
    "clx-2s",
    "bdx-2s",
    "skx-4s",
    "skx-8s",
    "milan-2s",
    "genoa-2s",
    "epyc-7601",
    "srf-2s",
    "lockhammer-x86-2",
    "lockhammer-x86-3",
    "lockhammer-x86-4",
];

impl Profile {
    /// Name and text of every built-in profile.
    pub fn builtins() -> impl Iterator<Item = (&'static str, &'static str)> {
        BUILTINS.iter().copied()
    }

    /// A built-in profile.
    ///
    /// # Errors
    /// No such name, or a machine that must be calibrated first.
    pub fn builtin(name: &str) -> Result<Self, ProfileError> {
        let found = BUILTINS.iter().find(|(known, _)| *known == name);
        let Some((known, text)) = found else {
            let nearest = nearest(name, BUILTINS.iter().map(|(known, _)| *known));
            return Err(ProfileError::UnknownName {
                name: name.to_owned(),
                nearest: nearest.unwrap_or_default().to_owned(),
            });
        };
        Self::parse(text, &format!("machines/{known}.toml"))
    }
}
