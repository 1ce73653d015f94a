#!/usr/bin/env bash
# Gates modelled results in any CI: gate.sh PLAN.toml BASELINE.json GATE.toml [FOLDER]
#
# Runs the plan twice (with one host thread and with all: equal bytes are part of the verdict), judges
# both against the baseline, writes gate.json, gate.md and gate.xml (JUnit) into FOLDER, and ends with
# the gate's own exit code; nothing in between may replace it. PAMT_BENCH names the binary.
set -eu
plan=$1 baseline=$2 config=$3 folder=${4:-pamt-gate}
bench=${PAMT_BENCH:-pamt-bench}
mkdir -p "$folder"
for pass in first second; do
    jobs=0
    [ $pass = first ] || jobs=1
    "$bench" sweep "$plan" -o "$folder/$pass" --jobs $jobs --quiet
    "$bench" sweep collect "$folder/$pass" -o "$folder/$pass.json"
done
exec "$bench" gate --baseline "$baseline" --config "$config" \
    --json "$folder/gate.json" --markdown "$folder/gate.md" --junit "$folder/gate.xml" \
    "$folder/first.json" "$folder/second.json"
