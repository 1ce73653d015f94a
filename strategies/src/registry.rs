//! The one table of strategies that the command line, `list` and the docs read.
//!
//! Adding a strategy is one file with its [`StrategyInfo`] and its `build`, and one line in
//! [`STRATEGIES`].

use crate::locks::{LockKindId, LockShared};
use crate::pamt::{self, Strategy};
use crate::platform::{Home, Platform};
use crate::spec::{Param, ParamKind, SpecError, nearest, take_apart};

/// Whether a strategy is right in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No violation is known, by the argument in its file.
    Sound,
    /// Violations are known; why.
    Unsound(&'static str),
}

/// How the module is configured for a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleMode {
    /// Dynamic PAMT.
    Dynamic,
    /// Static PAMT: get and put do nothing.
    Static,
}

/// A strategy, as `list strategies` explains it.
#[derive(Debug)]
pub struct StrategyInfo {
    /// Name in specs and results.
    pub name: &'static str,
    /// Other names that are understood.
    pub aliases: &'static [&'static str],
    /// One line.
    pub summary: &'static str,
    /// Who proposed it, when and where; `inferred` is said where no text calls it a fact.
    pub origin: &'static str,
    /// The protocol in words.
    pub protocol: &'static str,
    /// What it costs in memory.
    pub memory: &'static str,
    /// Verdict without splits and promotions of 2M mappings.
    pub scope_4k: Verdict,
    /// Verdict with them: DEMOTE locks the regions of its pair, too.
    pub scope_split: Verdict,
    /// Mode of the module.
    pub module: ModuleMode,
    /// Parameter that `name:argument` sets.
    pub argument: Option<&'static str>,
    /// All parameters.
    pub params: &'static [Param],
}

impl StrategyInfo {
    /// Whether it acts on the status of leaves other than PAMT.ADD and REMOVE, which not every world
    /// can give.
    #[must_use]
    pub fn needs_leaf_status(&self) -> bool {
        self.name == crate::pamt::lazy::INFO.name
    }

    /// Whether violations are expected of it in scope 4k.
    #[must_use]
    pub fn known_unsound(&self) -> bool {
        self.scope_4k != Verdict::Sound
    }

    /// Whether violations are expected of it where 2M mappings are split and joined.
    #[must_use]
    pub fn known_unsound_with_splits(&self) -> bool {
        self.scope_split != Verdict::Sound
    }
}

/// What a strategy is built for.
pub struct StrategyParams<'a, P: Platform> {
    /// 2 MiB regions of the host, from region 0.
    pub regions: usize,
    /// Home of `pamt_refcounts` and of locks.
    pub home: Home,
    /// What all locks of the machine share.
    pub locks: &'a LockShared<P>,
}

/// A strategy with all its parameters.
#[derive(Clone, Debug)]
pub struct StrategySpec {
    text: String,
    entry: usize,
    values: Vec<&'static Param>,
    given: Vec<Option<String>>,
}

macro_rules! strategies {
    ($($file:ident),* $(,)?) => {
        /// All strategies.
        pub static STRATEGIES: &[&StrategyInfo] = &[$(&pamt::$file::INFO,)*];

        /// Builds a strategy.
        pub fn build<P: Platform>(
            spec: &StrategySpec,
            build: &mut P::Build,
            params: &StrategyParams<'_, P>,
        ) -> Box<dyn Strategy<P>> {
            type Builder<P> = fn(
                &StrategySpec,
                &mut <P as Platform>::Build,
                &StrategyParams<'_, P>,
            ) -> Box<dyn Strategy<P>>;
            let builders: &[Builder<P>] = &[$(pamt::$file::build::<P>,)*];
            builders[spec.entry](spec, build, params)
        }
    };
}

strategies! {
    static_mode,
    global,
    simple,
    striped,
    per_2m,
    lazy,
    rfc,
    v2,
    v3_07,
    v4,
    global_irqsave,
    global_rw,
    three_region,
    kick_lock,
    prealloc,
    three_state,
    simple_lean,
    address_domain,
    state,
    parked,
}

impl StrategySpec {
    /// Reads a spec such as `striped:64[hash=mix]`.
    ///
    /// # Errors
    /// An unknown name, key or value, or a malformed spec.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let raw = take_apart(text)?;
        let named =
            |info: &&&StrategyInfo| info.name == raw.name || info.aliases.contains(&raw.name);
        let entry = STRATEGIES.iter().position(|info| named(&info)).ok_or_else(|| {
            let names = STRATEGIES
                .iter()
                .flat_map(|i| [i.name].into_iter().chain(i.aliases.iter().copied()));
            SpecError::Unknown {
                what: "strategy",
                name: raw.name.to_owned(),
                nearest: nearest(raw.name, names),
            }
        })?;
        let mut spec = Self {
            text: text.to_owned(),
            entry,
            values: STRATEGIES[entry].params.iter().collect(),
            given: vec![None; STRATEGIES[entry].params.len()],
        };
        for (key, value) in raw.settings {
            spec.set(key, value)?;
        }
        Ok(spec)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), SpecError> {
        let info = self.info();
        let key = if key.is_empty() { info.argument.unwrap_or(value) } else { key };
        let Some(at) = info.params.iter().position(|param| param.name == key) else {
            let known: Vec<_> = info.params.iter().map(|param| param.name).collect();
            return Err(SpecError::UnknownKey {
                spec: self.text.clone(),
                owner: info.name,
                key: key.to_owned(),
                nearest: nearest(key, known.iter().copied()),
                known,
            });
        };
        let kind = info.params[at].kind;
        if !kind.takes(value) {
            return Err(SpecError::Value {
                spec: self.text.clone(),
                key: key.to_owned(),
                value: value.to_owned(),
                accepts: kind.accepts(),
                nearest: kind.nearest(value),
            });
        }
        self.given[at] = Some(value.to_owned());
        Ok(())
    }

    /// The strategy's entry in the registry.
    #[must_use]
    pub fn info(&self) -> &'static StrategyInfo {
        STRATEGIES[self.entry]
    }

    /// The spec as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every parameter with its value, defaults included.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values
            .iter()
            .zip(&self.given)
            .map(|(param, given)| (param.name, given.as_deref().unwrap_or(param.default)))
    }

    /// Value of a parameter.
    ///
    /// # Panics
    /// When the strategy has no such parameter: its own `build` asks.
    pub(crate) fn word(&self, name: &str) -> &str {
        let found = self.settings().find(|(key, _)| *key == name);
        found.map(|(_, value)| value).expect("a strategy asks for its own parameters")
    }

    /// Value of a numeric parameter; `u64::MAX` for `unbounded`.
    pub(crate) fn number(&self, name: &str) -> u64 {
        // Values are checked when the spec is read, defaults by a test.
        self.word(name).parse().unwrap_or(u64::MAX)
    }

    /// Value of a lock parameter.
    pub(crate) fn lock(&self, name: &str) -> LockKindId {
        LockKindId::by_name(self.word(name)).unwrap_or(LockKindId::QSpinLock)
    }
}

/// The lock parameter that strategies with a spin lock have.
pub(crate) const LOCK_PARAM: Param = Param {
    name: "lock",
    kind: ParamKind::Lock,
    default: "qspinlock",
    help: "algorithm of the lock",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locks::LOCKS;

    #[test]
    fn every_name_and_alias_is_unique() {
        let mut names: Vec<_> = STRATEGIES
            .iter()
            .flat_map(|i| [i.name].into_iter().chain(i.aliases.iter().copied()))
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_default_is_a_value_that_its_parameter_takes() {
        for info in STRATEGIES {
            for param in info.params {
                assert!(param.kind.takes(param.default), "{}[{}]", info.name, param.name);
            }
            let known = |name| info.params.iter().any(|param| param.name == name);
            assert!(info.argument.is_none_or(known), "{}", info.name);
        }
    }

    #[test]
    fn every_lock_has_one_entry() {
        for lock in LOCKS {
            assert_eq!(lock.id.info().name, lock.name);
            assert_eq!(LOCKS.iter().filter(|other| other.id == lock.id).count(), 1);
        }
    }

    #[test]
    fn a_spec_sets_its_argument_and_keeps_defaults() {
        let spec = StrategySpec::parse("striped:128[hash=mix]").expect("known");
        assert_eq!((spec.number("locks"), spec.word("hash")), (128, "mix"));
        assert_eq!(spec.lock("lock"), LockKindId::QSpinLock);
        assert_eq!(StrategySpec::parse("striped").expect("known").number("locks"), 64);
        assert_eq!(StrategySpec::parse("v6").expect("alias").info().name, "global");
    }

    #[test]
    fn an_error_names_the_input_and_the_nearest_valid_name() {
        let message = |text| StrategySpec::parse(text).expect_err("wrong").to_string();
        assert!(message("stripd:64").contains("`striped`"));
        assert!(message("striped:63").contains("power of two"));
        assert!(message("striped[hsh=mod]").contains("`hash`"));
        assert!(message("global[lock=tickt]").contains("`lock=tickt`"));
        assert!(message("static:4").contains("it has none"));
    }
}
