//! The probe on the host that runs the tests: whatever it is, the answer must be consistent.

#[test]
fn the_probe_of_this_host_names_a_remedy_for_all_that_is_missing() {
    let probe = pamt_hw::probe();
    for check in &probe.checks {
        assert_eq!(check.remedy.is_empty(), check.state == pamt_hw::State::Met, "{}", check.name);
    }
    assert_eq!(probe, pamt_hw::probe(), "a second probe sees an unchanged host");
}
