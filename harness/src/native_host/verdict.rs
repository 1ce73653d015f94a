//! From what was seen to a verdict.
//!
//! How far two runs may differ is the sum of what each disturbance can do to one of them: the spread of
//! the run's own parts where it has them, the time that others took, and how unsteadily the CPUs ran
//! before and after. It is a bound from above, not an estimate: disturbances that fell on both runs alike
//! do not make them differ.

use std::collections::BTreeMap;

use pamt_reports::schema::{Noise, NoiseCause, NoiseLevel};

use super::Fact;
use super::load::Taken;
use super::probe::Steadiness;

/// Below this share nothing is worth a word.
const NEGLIGIBLE: f64 = 0.01;
/// Runs that may differ by more than this cannot show the effects that locks are chosen by.
const NOISY: f64 = 0.05;

/// Everything that a watch saw.
pub(super) struct Seen<'a> {
    pub(super) before: Steadiness,
    pub(super) after: Steadiness,
    /// `None` where no tick passed.
    pub(super) taken: Result<Option<Taken>, String>,
    pub(super) spread_frac: Option<f64>,
    pub(super) facts: &'a BTreeMap<&'static str, Fact>,
}

/// A disturbance and what it can do to a run.
struct Disturbance {
    share: f64,
    cause: &'static str,
    remedy: &'static str,
}

pub(super) fn verdict(seen: &Seen<'_>) -> Noise {
    let mut disturbances = disturbances(seen);
    disturbances.sort_by(|a, b| b.share.total_cmp(&a.share));
    let repeat = disturbances.iter().map(|d| d.share).sum::<f64>().max(NEGLIGIBLE);
    let told = disturbances.iter().filter(|d| d.share >= NEGLIGIBLE);
    let mut causes: Vec<NoiseCause> = told
        .map(|d| NoiseCause {
            cause: format!("{} ({:.1}%)", d.cause, d.share * 100.0),
            remedy: d.remedy.to_owned(),
        })
        .collect();
    let disturbed = !causes.is_empty();
    causes.extend(settings(seen));
    let level = match repeat {
        repeat if repeat > NOISY => NoiseLevel::Noisy,
        _ if disturbed || !causes.is_empty() => NoiseLevel::Unsettled,
        _ => NoiseLevel::Quiet,
    };
    Noise { causes, level, repeat_frac: Some(repeat) }
}

fn disturbances(seen: &Seen<'_>) -> Vec<Disturbance> {
    let taken = seen.taken.clone().ok().flatten().unwrap_or_default();
    let (before, after) = (seen.before, seen.after);
    let drift = (after.block_ns / before.block_ns.max(1.0) - 1.0).abs();
    vec![
        Disturbance {
            share: taken.steal_frac,
            cause: "the hypervisor gave CPU time to other guests",
            remedy: "use a host of your own, or one with dedicated CPUs",
        },
        Disturbance {
            share: taken.others_frac,
            cause: "other processes and the kernel ran on the CPUs",
            remedy: "stop them, or keep them off with isolcpus= or cpusets",
        },
        Disturbance {
            share: before.lost_frac.max(after.lost_frac),
            cause: "CPUs were interrupted in the probe before or after",
            remedy: "stop other load; move interrupts to other CPUs",
        },
        Disturbance {
            share: before.slow_frac.max(after.slow_frac).max(drift),
            cause: "CPUs ran at changing speed in the probes",
            remedy: "fix the clock: governor performance, turbo off; leave SMT siblings idle",
        },
        Disturbance {
            share: seen.spread_frac.unwrap_or(0.0),
            cause: "parts of the run lay apart",
            remedy: "run longer, or compare medians of several runs (--runs N)",
        },
    ]
}

/// What the host's settings may do, and what could not be seen.
fn settings(seen: &Seen<'_>) -> Vec<NoiseCause> {
    let is =
        |name: &str, value: &str| matches!(seen.facts.get(name), Some(Ok(found)) if found == value);
    let set = |cause: &str, remedy: &str| NoiseCause { cause: cause.into(), remedy: remedy.into() };
    let mut causes = Vec::new();
    if seen.facts.get("governor").is_some_and(|fact| matches!(fact, Ok(g) if g != "performance")) {
        causes.push(set("the governor changes the clock", "cpupower frequency-set -g performance"));
    }
    if is("turbo", "on") {
        let remedy = "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or 0 > cpufreq/boost";
        causes.push(set("turbo is on: the clock depends on heat and load", remedy));
    }
    if is("hypervisor", "yes") {
        let cause = "a hypervisor hides the clock, the siblings and other guests' load";
        causes.push(set(cause, "measure on bare metal where absolute times matter"));
    }
    if let Err(why) = &seen.taken {
        causes.push(set(&format!("time taken by others is {why}"), "mount /proc"));
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen<'a>(facts: &'a BTreeMap<&'static str, Fact>) -> Seen<'a> {
        let steady = Steadiness { slow_frac: 0.001, lost_frac: 0.0, block_ns: 1e5 };
        Seen { before: steady, after: steady, taken: Ok(None), spread_frac: None, facts }
    }

    #[test]
    fn an_undisturbed_host_is_quiet_and_still_promises_no_more_than_a_percent() {
        let facts = BTreeMap::from([("governor", Ok("performance".to_owned()))]);
        let noise = verdict(&seen(&facts));
        assert_eq!((noise.level, noise.repeat_frac), (NoiseLevel::Quiet, Some(NEGLIGIBLE)));
        assert!(noise.causes.is_empty());
    }

    #[test]
    fn steal_is_noise_with_its_cause_first_and_a_remedy() {
        let facts = BTreeMap::from([("turbo", Ok("on".to_owned()))]);
        let taken = Taken { steal_frac: 0.2, others_frac: 0.03 };
        let noise = verdict(&Seen { taken: Ok(Some(taken)), ..seen(&facts) });
        assert_eq!(noise.level, NoiseLevel::Noisy);
        assert!(noise.repeat_frac.is_some_and(|share| (0.23..0.24).contains(&share)));
        assert!(noise.causes[0].cause.contains("hypervisor") && !noise.causes[0].remedy.is_empty());
        assert!(noise.causes.iter().any(|cause| cause.cause.contains("turbo")));
    }

    #[test]
    fn what_cannot_be_read_is_itself_a_cause() {
        let facts = BTreeMap::new();
        let why = "unavailable, because /proc/stat cannot be read";
        let noise = verdict(&Seen { taken: Err(why.into()), ..seen(&facts) });
        assert_eq!(noise.level, NoiseLevel::Unsettled);
        assert!(noise.causes[0].cause.contains(why));
    }
}
