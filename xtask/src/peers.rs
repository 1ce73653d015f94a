//! `cargo xtask long peers`: the event engine beside general-purpose simulators, on an equal model.
//!
//! The model and the programs stand in `benches/peers/README.md`. Each program is run three times for
//! each number of processes and the run with the least CPU time counts, because other load can only
//! add to it.

use std::path::PathBuf;
use std::process::Command;

use crate::step::Outcome;

const PROCESSES: [u32; 4] = [2, 16, 128, 512];
const ROUNDS: usize = 3;
/// The first programs are the engine on the equal model; the others are compared with each of them.
const OWN: usize = 2;

/// One program of the comparison.
struct Peer {
    name: &'static str,
    /// Enough for half a second or more.
    handovers: u64,
    /// Program and leading arguments.
    line: Vec<String>,
}

/// Builds, runs and prints; fails only when a program does not build or run: there is no bar on time.
pub(crate) fn run() -> Outcome {
    match compare() {
        Ok(()) => Outcome::Passed,
        Err(error) => {
            eprintln!("peers: {error}");
            Outcome::Failed
        }
    }
}

fn compare() -> Result<(), String> {
    let peers = build()?;
    let mut rates = Vec::new();
    for peer in &peers {
        let row = PROCESSES.iter().map(|n| rate(peer, *n)).collect::<Result<Vec<_>, _>>()?;
        rates.push(row);
    }
    println!("\nhand-overs per CPU second of one host thread (best of {ROUNDS}):");
    println!("{:<12}{}", "processes", PROCESSES.map(|n| format!("{n:>12}")).concat());
    for (peer, row) in peers.iter().zip(&rates) {
        let cells: String = row.iter().map(|r| format!("{:>10.2} M", r / 1e6)).collect();
        println!("{:<12}{cells}", peer.name);
    }
    for (own, own_rates) in peers.iter().zip(&rates).take(OWN) {
        println!("ratio of {} to", own.name);
        for (peer, row) in peers.iter().zip(&rates).skip(OWN) {
            let cells: String =
                row.iter().zip(own_rates).map(|(r, own)| format!("{:>11.1}x", own / r)).collect();
            println!("{:<12}{cells}", peer.name);
        }
    }
    Ok(())
}

fn build() -> Result<Vec<Peer>, String> {
    let out = PathBuf::from("target/peers");
    std::fs::create_dir_all(&out).map_err(|e| format!("cannot create {}: {e}", out.display()))?;
    let path = |name: &str| out.join(name).display().to_string();

    done(&["cargo", "build", "-q", "--release", "-p", "pamt-sim", "--example", "fifo_lock"])?;
    let source = "benches/peers/systemc/fifo_lock.cpp";
    done(&["g++", "-O2", "-std=c++17", "-o", &path("systemc"), source, "-lsystemc"])?;
    done(&["python3", "-m", "venv", &path("venv")])?;
    let requirements = "benches/peers/simpy/requirements.txt";
    done(&[&path("venv/bin/pip"), "install", "-q", "-r", requirements])?;
    let manifest = "benches/peers/nexosim/Cargo.toml";
    let target = path("nexosim");
    done(&[
        "cargo",
        "build",
        "-q",
        "--release",
        "--manifest-path",
        manifest,
        "--target-dir",
        &target,
    ])?;

    let own = || String::from("target/release/examples/fifo_lock");
    let peer = |name, handovers, line: &[String]| Peer { name, handovers, line: line.to_vec() };
    Ok(vec![
        peer("pamt-bench", 5_000_000, &[own(), "events".into()]),
        peer("by loop", 5_000_000, &[own(), "by-loop".into()]),
        peer("with lines", 2_000_000, &[own(), "lines".into()]),
        peer("systemc", 2_000_000, &[path("systemc")]),
        peer("nexosim", 500_000, &[path("nexosim/release/peer-nexosim")]),
        peer(
            "simpy",
            100_000,
            &[path("venv/bin/python"), "benches/peers/simpy/fifo_lock.py".into()],
        ),
    ])
}

fn done(line: &[&str]) -> Result<(), String> {
    match Command::new(line[0]).args(&line[1..]).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` ended with {status}", line.join(" "))),
        Err(error) => Err(format!("`{}` did not start: {error}", line.join(" "))),
    }
}

/// Hand-overs per CPU second, from the best of the rounds.
fn rate(peer: &Peer, processes: u32) -> Result<f64, String> {
    let mut best = 0.0_f64;
    for _ in 0..ROUNDS {
        let mut command = Command::new(&peer.line[0]);
        command.args(&peer.line[1..]).arg(processes.to_string()).arg(peer.handovers.to_string());
        let output = command.output().map_err(|e| format!("{} did not start: {e}", peer.name))?;
        let text = String::from_utf8_lossy(&output.stdout);
        // SystemC prints a banner first.
        let words: Vec<f64> = text
            .lines()
            .last()
            .unwrap_or("")
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [handovers, cpu_s, _virtual_ns] = words[..] else {
            return Err(format!("{} printed no figures: {text:?}", peer.name));
        };
        best = best.max(handovers / cpu_s);
    }
    Ok(best)
}
