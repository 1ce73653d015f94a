//! Cache lines as `perf c2c report --stdio` shows them (Linux 6.12): five blocks, the same columns in
//! the same order, then what only a full record can give.
//!
//! Differences are marked: a line has a name instead of an address and a field instead of a symbol;
//! what has no meaning here (pid, code address) is `-`, what is not known is `n/a`; times are ns.

use super::grid::Grid;
use super::{ExportError, Exporter, Part, evidence, file_label, label};
use crate::schema::{Document, FieldRow, LineCounts, LineRow, ObjectRow, Run};

/// The format.
pub(super) struct C2c;

impl Exporter for C2c {
    fn name(&self) -> &'static str {
        "c2c"
    }

    fn suffix(&self) -> &'static str {
        ".c2c"
    }

    fn about(&self) -> &'static str {
        "cache lines as perf c2c report prints them, a file a run"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        let runs = document.runs.iter().filter(|run| !run.result.lines.is_empty());
        let parts: Vec<Part> =
            runs.map(|run| Part { name: file_label(run), text: report(document, run) }).collect();
        if parts.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "cache lines" });
        }
        Ok(parts)
    }
}

/// A line with the object that it belongs to.
struct Named<'a> {
    object: &'a str,
    row: &'a LineRow,
}

impl Named<'_> {
    fn name(&self) -> String {
        format!("{}[{}]", self.object, self.row.line)
    }
}

fn report(document: &Document, run: &Run) -> String {
    let objects = &run.result.lines;
    let total = sum(objects.values());
    let mut lines: Vec<Named<'_>> = objects
        .iter()
        .flat_map(|(object, o)| o.top.iter().map(move |row| Named { object, row }))
        .collect();
    // A stable sort: lines with as many HITMs stay in order of name.
    lines.sort_by_key(|line| std::cmp::Reverse(line.row.counts.total_hitm()));
    let mut text = block("            Trace Event Information", &trace_events(&total));
    text.push_str(&block(
        "    Global Shared Cache Line Event Information",
        &shared_lines(&total, objects.values(), &lines),
    ));
    text.push_str(&block("                 c2c details", &details(run)));
    text.push_str(&banner("           Shared Data Cache Line Table"));
    text.push_str(&line_table(&lines, total.total_hitm()));
    text.push_str(&banner("      Shared Cache Line Distribution Pareto"));
    text.push_str(&pareto(&lines));
    for line in evidence(document, run) {
        text.push_str(&format!("# {line}\n"));
    }
    text
}

fn sum<'a>(objects: impl Iterator<Item = &'a ObjectRow>) -> LineCounts {
    objects.fold(LineCounts::default(), |a, object| {
        let b = &object.counts;
        LineCounts {
            dram_lcl: a.dram_lcl + b.dram_lcl,
            dram_rmt: a.dram_rmt + b.dram_rmt,
            lcl_hitm: a.lcl_hitm + b.lcl_hitm,
            load_fb: a.load_fb + b.load_fb,
            load_l1_hit: a.load_l1_hit + b.load_l1_hit,
            load_l2_hit: a.load_l2_hit + b.load_l2_hit,
            llc_lcl_hit: a.llc_lcl_hit + b.llc_lcl_hit,
            rmt_hitm: a.rmt_hitm + b.rmt_hitm,
            rmt_hit: a.rmt_hit + b.rmt_hit,
            store_l1_hit: a.store_l1_hit + b.store_l1_hit,
            store_l1_miss: a.store_l1_miss + b.store_l1_miss,
            store_na: a.store_na + b.store_na,
            total_loads: a.total_loads + b.total_loads,
            total_records: a.total_records + b.total_records,
            total_stores: a.total_stores + b.total_stores,
            ..a
        }
    })
}

fn banner(title: &str) -> String {
    let rule = "=".repeat(49);
    format!("{rule}\n{title}\n{rule}\n")
}

fn block(title: &str, lines: &[(&str, String)]) -> String {
    let rows = lines.iter().map(|(name, value)| format!("  {name:<33} : {value:>10}\n"));
    format!("{}{}\n", banner(title), rows.collect::<String>())
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "n/a".into() } else { format!("{:.1}%", 100.0 * part as f64 / whole as f64) }
}

const UNKNOWN: &str = "n/a";

fn trace_events(c: &LineCounts) -> Vec<(&'static str, String)> {
    let unknown = || UNKNOWN.to_owned();
    let n = |value: u64| value.to_string();
    // perf's sum of what came from beyond the last-level cache.
    let misses = c.dram_lcl + c.dram_rmt + c.rmt_hit + c.rmt_hitm;
    vec![
        ("Total records", n(c.total_records)),
        ("Locked Load/Store Operations", unknown()),
        ("Load Operations", n(c.total_loads)),
        ("Loads - uncacheable", unknown()),
        ("Loads - IO", unknown()),
        ("Loads - Miss", unknown()),
        ("Loads - no mapping", unknown()),
        ("Load Fill Buffer Hit", n(c.load_fb)),
        ("Load L1D hit", n(c.load_l1_hit)),
        ("Load L2D hit", n(c.load_l2_hit)),
        ("Load LLC hit", n(c.llc_lcl_hit + c.lcl_hitm)),
        ("Load Local HITM", n(c.lcl_hitm)),
        ("Load Remote HITM", n(c.rmt_hitm)),
        ("Load Remote HIT", n(c.rmt_hit)),
        ("Load Local DRAM", n(c.dram_lcl)),
        ("Load Remote DRAM", n(c.dram_rmt)),
        ("Load MESI State Exclusive", unknown()),
        ("Load MESI State Shared", unknown()),
        ("Load LLC Misses", n(misses)),
        ("Load access blocked by data", unknown()),
        ("Load access blocked by address", unknown()),
        ("Load HIT Local Peer", unknown()),
        ("Load HIT Remote Peer", unknown()),
        ("LLC Misses to Local DRAM", share(c.dram_lcl, misses)),
        ("LLC Misses to Remote DRAM", share(c.dram_rmt, misses)),
        ("LLC Misses to Remote cache (HIT)", share(c.rmt_hit, misses)),
        ("LLC Misses to Remote cache (HITM)", share(c.rmt_hitm, misses)),
        ("Store Operations", n(c.total_stores)),
        ("Store - uncacheable", unknown()),
        ("Store - no mapping", unknown()),
        ("Store L1D Hit", n(c.store_l1_hit)),
        ("Store L1D Miss", n(c.store_l1_miss)),
        ("Store No available memory level", n(c.store_na)),
        ("No Page Map Rejects", unknown()),
        ("Unable to parse data source", unknown()),
    ]
}

fn shared_lines<'a>(
    total: &LineCounts,
    mut objects: impl Iterator<Item = &'a ObjectRow>,
    lines: &[Named<'_>],
) -> Vec<(&'static str, String)> {
    let n = |value: u64| value.to_string();
    let shared = lines.iter().filter(|line| line.row.counts.total_hitm() > 0).count();
    let listed_all = objects.all(|o| o.lines_touched == Some(o.top.len() as u64));
    let sum = |get: fn(&LineCounts) -> u64| -> String {
        let of = lines.iter().filter(|line| line.row.counts.total_hitm() > 0);
        let known: u64 = of.map(|line| get(&line.row.counts)).sum();
        if listed_all { n(known) } else { format!(">= {known}") }
    };
    vec![
        (
            "Total Shared Cache Lines",
            if listed_all { shared.to_string() } else { format!(">= {shared}") },
        ),
        ("Load HITs on shared lines", sum(|c| c.total_loads)),
        ("Fill Buffer Hits on shared lines", sum(|c| c.load_fb)),
        ("L1D hits on shared lines", sum(|c| c.load_l1_hit)),
        ("L2D hits on shared lines", sum(|c| c.load_l2_hit)),
        ("LLC hits on shared lines", sum(|c| c.llc_lcl_hit + c.lcl_hitm)),
        ("Load hits on peer cache or nodes", UNKNOWN.into()),
        ("Locked Access on shared lines", UNKNOWN.into()),
        ("Blocked Access on shared lines", UNKNOWN.into()),
        ("Store HITs on shared lines", sum(|c| c.total_stores)),
        ("Store L1D hits on shared lines", sum(|c| c.store_l1_hit)),
        ("Store No available memory level", sum(|c| c.store_na)),
        ("Total Merged records", n(total.total_records)),
    ]
}

fn details(run: &Run) -> Vec<(&'static str, String)> {
    vec![
        ("Events", format!("every access ({})", run.result.world.name())),
        ("Cachelines sort on", "Total HITMs".into()),
        ("Cacheline data grouping", "offset, field".into()),
        ("Run", label(run)),
    ]
}

const LINE_HEADS: [(&str, &str); 29] = [
    ("", "Index"),
    ("Cacheline", "Address"),
    ("Cacheline", "Node"),
    ("Cacheline", "PA cnt"),
    ("Tot", "Hitm"),
    ("Load Hitm", "Total"),
    ("Load Hitm", "LclHitm"),
    ("Load Hitm", "RmtHitm"),
    ("Total", "records"),
    ("Total", "Loads"),
    ("Total", "Stores"),
    ("Stores", "L1Hit"),
    ("Stores", "L1Miss"),
    ("Stores", "N/A"),
    ("Core Load Hit", "FB"),
    ("Core Load Hit", "L1"),
    ("Core Load Hit", "L2"),
    ("LLC Load Hit", "LclHit"),
    ("LLC Load Hit", "LclHitm"),
    ("RMT Load Hit", "RmtHit"),
    ("RMT Load Hit", "RmtHitm"),
    ("Load Dram", "Lcl"),
    ("Load Dram", "Rmt"),
    ("not in perf c2c", "bounces"),
    ("not in perf c2c", "RFO"),
    ("not in perf c2c", "S->M"),
    ("not in perf c2c", "invalidations"),
    ("not in perf c2c", "transfer_ns"),
    ("not in perf c2c", "false sharing"),
];

fn line_table(lines: &[Named<'_>], hitm: u64) -> String {
    let mut grid = Grid::new(&LINE_HEADS);
    for (index, line) in lines.iter().enumerate() {
        grid.row(line_row(index, line, hitm));
    }
    format!("{}{}\n", grid.head(), grid.body())
}

fn optional(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| value.to_string())
}

fn line_row(index: usize, line: &Named<'_>, hitm: u64) -> Vec<String> {
    let c = &line.row.counts;
    let false_sharing = line.row.false_sharing.map_or(UNKNOWN, |is| if is { "yes" } else { "no" });
    let counts = [
        c.total_hitm(),
        c.lcl_hitm,
        c.rmt_hitm,
        c.total_records,
        c.total_loads,
        c.total_stores,
        c.store_l1_hit,
        c.store_l1_miss,
        c.store_na,
        c.load_fb,
        c.load_l1_hit,
        c.load_l2_hit,
        c.llc_lcl_hit,
        c.lcl_hitm,
        c.rmt_hit,
        c.rmt_hitm,
        c.dram_lcl,
        c.dram_rmt,
    ];
    let extra = [c.bounces, c.rfo, c.upgrades, c.invalidations, c.transfer_ns];
    [index.to_string(), line.name(), optional(line.row.node), "-".into()]
        .into_iter()
        .chain([share(c.total_hitm(), hitm)])
        .chain(counts.map(|count| count.to_string()))
        .chain(extra.map(optional))
        .chain([false_sharing.to_owned()])
        .collect()
}

const FIELD_HEADS: [(&str, &str); 21] = [
    ("", "Num"),
    ("HITM", "RmtHitm"),
    ("HITM", "LclHitm"),
    ("Store Refs", "L1 Hit"),
    ("Store Refs", "L1 Miss"),
    ("Store Refs", "N/A"),
    ("Data address", "Offset"),
    ("Data address", "Node"),
    ("Data address", "PA cnt"),
    ("", "Pid"),
    ("", "Tid"),
    ("", "Code address"),
    ("ns", "rmt hitm"),
    ("ns", "lcl hitm"),
    ("ns", "load"),
    ("Total", "records"),
    ("cpu", "cnt"),
    ("", "Symbol"),
    ("Shared", "Object"),
    ("", "Source:Line"),
    ("", "Node{cpu list}"),
];

fn pareto(lines: &[Named<'_>]) -> String {
    let mut grid = Grid::new(&FIELD_HEADS);
    let with_fields = || lines.iter().enumerate().filter(|(_, line)| !line.row.fields.is_empty());
    for (_, line) in with_fields() {
        line.row.fields.iter().for_each(|field| grid.row(field_row(line, field)));
    }
    let (mut text, body) = (grid.head(), grid.body());
    let mut rows = body.lines();
    for (index, line) in with_fields() {
        let c = &line.row.counts;
        let heading = format!(
            "{index}: HITM rmt {} lcl {}, stores L1 hit {} miss {} N/A {}, line {}",
            c.rmt_hitm,
            c.lcl_hitm,
            c.store_l1_hit,
            c.store_l1_miss,
            c.store_na,
            line.name()
        );
        let rule = "-".repeat(heading.len());
        text.push_str(&format!("\n  {rule}\n  {heading}\n  {rule}\n"));
        for row in rows.by_ref().take(line.row.fields.len()) {
            text.push_str(row);
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

fn field_row(line: &Named<'_>, f: &FieldRow) -> Vec<String> {
    let c = &line.row.counts;
    let dash = || "-".to_owned();
    let part = |part: Option<u64>, whole| {
        part.map_or_else(|| UNKNOWN.to_owned(), |part| share(part, whole))
    };
    let mut cpus: Vec<u32> = f.readers.iter().chain(&f.writers).copied().collect();
    cpus.sort_unstable();
    cpus.dedup();
    vec![
        dash(),
        part(f.rmt_hitm, c.rmt_hitm),
        part(f.lcl_hitm, c.lcl_hitm),
        part(f.store_l1_hit, c.store_l1_hit),
        part(f.store_l1_miss, c.store_l1_miss),
        UNKNOWN.into(),
        format!("{:#x}", f.offset),
        optional(line.row.node),
        dash(),
        dash(),
        dash(),
        dash(),
        optional(f.rmt_hitm_mean_ns),
        optional(f.lcl_hitm_mean_ns),
        UNKNOWN.into(),
        f.total_records.to_string(),
        f.cpu_cnt.to_string(),
        f.field.clone(),
        line.object.to_owned(),
        dash(),
        format!("{{{}}}", ranges(&cpus)),
    ]
}

/// Ascending numbers with runs as `first-last`, as the kernel lists CPUs.
fn ranges(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let texts =
        runs.iter().map(
            |(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            },
        );
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn cpus_are_listed_as_the_kernel_does() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[]), "");
    }
}
