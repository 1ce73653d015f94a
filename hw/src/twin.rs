//! Which C twin a strategy spec names.

use crate::abi;
use crate::device::Twin;

/// Why a strategy has no in-kernel run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwinError {
    /// No C twin of that name.
    #[error("strategy `{0}` has no C twin in the kernel helper; there are {NAMES}")]
    Unknown(String),
    /// The parameter is not a power of two in range.
    #[error("`{spec}`: the number of locks must be a power of two up to {max}", max = abi::MAX_STRIPES)]
    Stripes {
        /// The spec as given.
        spec: String,
    },
}

const NAMES: &str = "global (v6), simple (global-always, queued), striped:N, per-2m, ordered:N";

impl Twin {
    /// Reads a spec: `global`, `simple`, `striped:64`, `per-2m`, `ordered:64` or one of their aliases.
    /// `striped` and `ordered` without a number have 64 locks.
    ///
    /// # Errors
    /// No twin of that name, or a bad number of locks.
    pub fn parse(spec: &str) -> Result<Self, TwinError> {
        let (name, argument) = match spec.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (spec, None),
        };
        let strategy = match name {
            "global" | "v6" => abi::GLOBAL,
            "simple" | "global-always" | "queued" => abi::SIMPLE,
            "striped" => abi::STRIPED,
            "per-2m" => abi::PER_2M,
            "ordered" => abi::ORDERED,
            _ => return Err(TwinError::Unknown(spec.to_owned())),
        };
        let striped = strategy == abi::STRIPED || strategy == abi::ORDERED;
        let stripes = match argument {
            None if striped => 64,
            None => 0,
            Some(number) => number
                .parse()
                .ok()
                .filter(|n: &u32| striped && n.is_power_of_two() && *n <= abi::MAX_STRIPES)
                .ok_or_else(|| TwinError::Stripes { spec: spec.to_owned() })?,
        };
        Ok(Self { strategy, stripes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_name_the_same_twin() {
        assert_eq!(Twin::parse("v6"), Twin::parse("global"));
        assert_eq!(Twin::parse("queued"), Twin::parse("global-always"));
        assert_eq!(Twin::parse("striped"), Twin::parse("striped:64"));
    }

    #[test]
    fn a_number_of_locks_that_the_kernel_would_refuse_is_refused_here() {
        for spec in ["striped:48", "striped:0", "striped:8192", "striped:x", "global:2"] {
            let stripes = TwinError::Stripes { spec: spec.to_owned() };
            assert_eq!(Twin::parse(spec), Err(stripes));
        }
        assert!(matches!(Twin::parse("lazy"), Err(TwinError::Unknown(_))));
    }
}
