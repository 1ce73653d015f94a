#!/usr/bin/env bash
# A sweep on HyperQueue: hyperqueue.sh PLAN.toml FOLDER [SHARDS]; a server and workers must be running.
set -eu
plan=$1 folder=$2 shards=${3:-64}
# HQ_TASK_ID is for the shell of the task.
# shellcheck disable=SC2016
hq submit --wait --array "0-$((shards - 1))" --cpus 1 --crash-limit 3 -- bash -c \
    'exec pamt-bench sweep "$0" -o "$1" --shard "$HQ_TASK_ID/$2" --jobs 1 --quiet' \
    "$plan" "$folder" "$shards"
pamt-bench sweep collect "$folder"
