//! What a check found, and the proof that it finds something.

use crate::page::figures;
use crate::scene::{Scene, inputs};

/// Numbers that were compared, and those of them that are wrong.
#[derive(Default)]
pub(crate) struct Findings {
    checked: usize,
    wrong: Vec<String>,
}

impl Findings {
    /// Notes one comparison.
    pub(crate) fn expect(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        self.checked += 1;
        if !is_right {
            self.wrong.push(what());
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_clean(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Nothing is wrong, and at least `least` numbers were compared.
    pub(crate) fn assert_clean(&self, least: usize) {
        assert!(self.is_clean(), "{:#?}", self.wrong);
        assert!(self.checked >= least, "only {} numbers", self.checked);
    }

    /// Notes whether a length of the drawing is the one of its number, to a tenth of a unit.
    pub(crate) fn length(&mut self, drawn: f64, expected: f64, what: &str) {
        let is_right = (drawn - expected).abs() < 0.11;
        self.expect(is_right, || format!("{what}: {drawn} units drawn, not {expected}"));
    }

    /// Notes whether a text is the one expected.
    pub(crate) fn text(&mut self, shown: &str, expected: &str, what: &str) {
        self.expect(shown == expected, || format!("{what}: {shown:?} is not {expected:?}"));
    }
}

type Check = fn(&Scene, &mut Findings);

/// All scenes are right, at least `least` numbers of them are compared, and each `plant`, a part of a
/// plot's id with what to find in that plot and to replace, is found wrong.
pub(crate) fn holds_and_can_fail(check: Check, least: usize, plants: &[(&str, &str, &str)]) {
    let mut findings = Findings::default();
    inputs().into_iter().map(Scene::of).for_each(|scene| check(&scene, &mut findings));
    findings.assert_clean(least);
    for (id, right, wrong) in plants {
        let mut scene = Scene::of(inputs().pop().expect("the made-up result"));
        scene.page = planted(&scene.page, id, right, wrong);
        let mut findings = Findings::default();
        check(&scene, &mut findings);
        assert!(!findings.is_clean(), "{wrong} for {right} in {id} goes unseen");
    }
}

/// The page with a part of one plot replaced.
fn planted(page: &str, id: &str, right: &str, wrong: &str) -> String {
    let figure = figures(page).find(|figure| figure.id.contains(id));
    let at =
        figure.and_then(|figure| page.find(&format!("<figure class=\"plot\" id=\"{}", figure.id)));
    let (before, plot) = page.split_at(at.unwrap_or_else(|| panic!("no plot {id}")));
    assert!(plot.contains(right), "{id} has no {right}");
    format!("{before}{}", plot.replacen(right, wrong, 1))
}
