#!/usr/bin/env bash
# A sweep by GNU parallel, on this host or over SSH: gnu_parallel.sh PLAN.toml FOLDER [SHARDS [SSHLOGINFILE]]
# FOLDER must be on a file system that all hosts share. Run it again to go on where it stopped.
set -eu
plan=$1 folder=$2 shards=${3:-64}
remote=()
[ $# -lt 4 ] || remote=(--sshloginfile "$4" --workdir "$PWD")
mkdir -p "$folder"
seq 0 $((shards - 1)) | parallel "${remote[@]}" --joblog "$folder/parallel.log" --resume-failed \
    --retries 3 "pamt-bench sweep '$plan' -o '$folder' --shard {}/$shards --jobs 1 --quiet"
pamt-bench sweep collect "$folder"
