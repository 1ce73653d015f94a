//! Measured curves and the model's, a chart for each setting of each host.

use super::{Axis, Chart, Scale, Series, Unit};
use crate::export::Part;
use crate::figure;
use crate::schema::{FidelityCurve, FidelityDocument, FidelityPoint};

/// The charts as SVG, named by host and setting.
#[must_use]
pub fn fidelity(document: &FidelityDocument) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for curve in &document.curves {
        let name = name(curve);
        if parts.iter().all(|part| part.name != name) {
            let same = document.curves.iter().filter(|other| self::name(other) == name);
            let svg = chart(curve, same).svg();
            parts.extend(svg.map(|text| Part::text(name, text + "\n")));
        }
    }
    parts
}

fn name(curve: &FidelityCurve) -> String {
    format!("{}-{}-{}", curve.host, curve.critical_ns, curve.parallel_ns)
}

fn chart<'a>(first: &FidelityCurve, curves: impl Iterator<Item = &'a FidelityCurve>) -> Chart {
    let FidelityCurve { host, machine, critical_ns, parallel_ns, .. } = first;
    let unit = |label: &str, unit| Axis { label: label.into(), scale: Scale::Linear, unit };
    let series = curves.flat_map(|curve| {
        let line = |ns: fn(&FidelityPoint) -> f64| {
            curve.points.iter().map(|point| (point.threads as f64, ns(point))).collect()
        };
        let truth =
            Series { name: curve.lock.clone(), points: line(|point| point.truth_ns), marked: true };
        let modelled = Series {
            name: format!("{}, modelled", curve.lock),
            points: line(|point| point.modelled_ns),
            marked: false,
        };
        [truth, modelled]
    });
    Chart {
        title: format!("{host}: held {critical_ns} ns, {parallel_ns} ns between"),
        desc: format!(
            "Time an acquisition over threads: marked points as published or measured on {host}, lines \
             as modelled with {machine}"
        ),
        x: unit("threads", Unit::In(figure::Unit::Count)),
        y: unit("ns an acquisition", Unit::In(figure::Unit::Ns)),
        series: series.collect(),
    }
}
