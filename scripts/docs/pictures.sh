#!/bin/sh
# The pictures of docs/reading-a-report.md, from a small real run. Needs cargo, npm and Chromium.
set -eu

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

cargo build --release --quiet
bench=target/release/pamt-bench
strategies=global,global-always,striped:64,per-2m,three-region

"$bench" run --strategy "$strategies" --workload boot,teardown,conversion-attack --memory 16MiB \
    --window 2ms+60us --quiet -o "$work/runs.json"
for vcpus in 1 2 4 6; do
    "$bench" run --strategy global-always,per-2m --workload fault-storm --memory 8MiB --vcpus "$vcpus" \
        --quiet -o "$work/scaling-$vcpus.json"
done
cat >"$work/plan.toml" <<'PLAN'
[base]
workload = "teardown"
memory = "2MiB"
tds = 4
vcpus = 4
[cross]
strategy = ["global-always", "per-2m"]
seed = [1, 2]
[uncertainty]
draws = 40
PLAN
"$bench" sweep "$work/plan.toml" -o "$work/sweep" --quiet
"$bench" sweep collect "$work/sweep" -o "$work/merged.json" >/dev/null
"$bench" report "$work/runs.json" "$work"/scaling-*.json "$work/merged.json" -o "$work/report.html"

npm --prefix reports/web ci --silent
npm --prefix reports/web run --silent pictures -- "$work/report.html" "$PWD/docs/pictures"
