//! Which C twin a strategy spec names.

use pamt_strategies::registry::StrategySpec;

use crate::abi;

/// A C twin with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Number in the ABI.
    pub strategy: u32,
    /// Locks, a power of two; 0 for strategies without stripes.
    pub stripes: u32,
    /// An ADD also holds the locks of its backing pages' regions.
    pub cover: bool,
    /// How often a SEAMCALL that met BUSY is done again.
    pub retries: u32,
    /// Regions without a page whose pair a CPU keeps.
    pub park: u32,
}

/// Why a strategy has no in-kernel run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TwinError {
    /// No C twin of that name.
    #[error(
        "strategy `{0}` has no C twin in the kernel helper; global, simple, striped, per-2m and parked \
         have"
    )]
    NoTwin(String),
    /// A parameter whose value the C twin does not have.
    #[error("`{spec}`: the C twin has {key}={has} only; leave {key} out")]
    Fixed {
        /// The spec as given.
        spec: String,
        /// The parameter.
        key: &'static str,
        /// What the twin has.
        has: &'static str,
    },
    /// A number that the helper refuses.
    #[error("`{spec}`: {key} is at most {max} in the kernel helper")]
    TooLarge {
        /// The spec as given.
        spec: String,
        /// The parameter.
        key: &'static str,
        /// The limit.
        max: u32,
    },
}

impl Twin {
    /// The twin of a strategy. The kernel's spin lock is qspinlock, each stripe has a line of its own,
    /// and `per-2m` keeps its lock in bit 31 of the refcount: other values are refused.
    ///
    /// # Errors
    /// No twin of that strategy, or a parameter that the twin does not have.
    pub fn of(spec: &StrategySpec) -> Result<Self, TwinError> {
        let (strategy, lock) = match spec.info().name {
            "global" => (abi::GLOBAL, "qspinlock"),
            "simple" => (abi::SIMPLE, "qspinlock"),
            "striped" => (abi::STRIPED, "qspinlock"),
            "per-2m" => (abi::PER_2M, "bit"),
            "parked" => (abi::PARKED, ""),
            _ => return Err(TwinError::NoTwin(spec.text().to_owned())),
        };
        let mut twin = Self { strategy, stripes: 0, cover: false, retries: 0, park: 0 };
        for (key, value) in spec.settings() {
            twin.set(spec, key, value, lock)?;
        }
        Ok(twin)
    }

    fn set(
        &mut self,
        spec: &StrategySpec,
        key: &'static str,
        value: &str,
        lock: &'static str,
    ) -> Result<(), TwinError> {
        let has = match key {
            "lock" => lock,
            "layout" => "padded",
            "hash" => "mod",
            "cover" => {
                self.cover = value == "all";
                return Ok(());
            }
            "locks" => return number(spec, key, value, abi::MAX_STRIPES).map(|n| self.stripes = n),
            "park" => return number(spec, key, value, abi::MAX_PARK).map(|n| self.park = n),
            "retries" => {
                return number(spec, key, value, abi::MAX_RETRIES).map(|n| self.retries = n);
            }
            // A parameter that changes nothing at its default, which is what the twin does.
            other => default_of(spec, other),
        };
        if value == has {
            return Ok(());
        }
        Err(TwinError::Fixed { spec: spec.text().to_owned(), key, has })
    }

    /// As the ABI has it.
    pub(crate) fn flags(self) -> u32 {
        if self.cover { abi::COVER } else { 0 }
    }
}

fn default_of(spec: &StrategySpec, key: &str) -> &'static str {
    let params = spec.info().params;
    params.iter().find(|param| param.name == key).map_or("", |param| param.default)
}

fn number(spec: &StrategySpec, key: &'static str, value: &str, max: u32) -> Result<u32, TwinError> {
    let small = value.parse().ok().filter(|n: &u32| *n <= max);
    small.ok_or_else(|| TwinError::TooLarge { spec: spec.text().to_owned(), key, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twin(text: &str) -> Result<Twin, TwinError> {
        Twin::of(&StrategySpec::parse(text).expect("a spec"))
    }

    #[test]
    fn aliases_name_the_same_twin() {
        assert_eq!(twin("v6"), twin("global"));
        assert_eq!(twin("queued"), twin("global-always"));
        assert_eq!(twin("striped"), twin("striped:64"));
    }

    #[test]
    fn a_twin_takes_over_every_parameter_that_it_has() {
        let none = Twin { strategy: abi::GLOBAL, stripes: 0, cover: false, retries: 0, park: 0 };
        let striped = Twin { strategy: abi::STRIPED, stripes: 16, cover: true, retries: 3, ..none };
        assert_eq!(twin("striped:16[cover=all,retries=3]"), Ok(striped));
        let per_2m = Twin { strategy: abi::PER_2M, retries: 64, ..none };
        assert_eq!(twin("per-2m"), Ok(per_2m));
        assert_eq!(twin("parked:8"), Ok(Twin { strategy: abi::PARKED, park: 8, ..none }));
    }

    #[test]
    fn a_parameter_that_the_twin_lacks_is_refused() {
        for text in [
            "striped:64[hash=mix]",
            "striped[layout=packed]",
            "per-2m:lock=spin",
            "global[lock=ticket]",
        ] {
            assert!(matches!(twin(text), Err(TwinError::Fixed { .. })), "{text}");
        }
        assert!(matches!(twin("striped:8192"), Err(TwinError::TooLarge { .. })));
        assert!(matches!(twin("lazy"), Err(TwinError::NoTwin(_))));
    }
}
