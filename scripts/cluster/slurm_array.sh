#!/usr/bin/env bash
# A sweep as a Slurm job array: sbatch --array=0-63 slurm_array.sh PLAN.toml FOLDER
# An array has 1,001 tasks at most by default, and a scheduler starts about one a second: give each
# shard minutes of work. Afterwards, anywhere: pamt-bench sweep collect FOLDER
#SBATCH --job-name=pamt-sweep
#SBATCH --cpus-per-task=1
#SBATCH --requeue
set -eu
: "${SLURM_ARRAY_TASK_ID:?submit it with sbatch --array=0-63}"
shards=$((SLURM_ARRAY_TASK_MAX - SLURM_ARRAY_TASK_MIN + 1))
shard=$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN))
exec pamt-bench sweep "$1" -o "$2" --shard "$shard/$shards" --jobs "${SLURM_CPUS_PER_TASK:-1}" --quiet
