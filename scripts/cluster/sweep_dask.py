#!/usr/bin/env python3
"""Runs a sweep on Dask distributed.

    sweep_dask.py PLAN.toml FOLDER --shards 64 --workers 3            # processes of this host
    sweep_dask.py PLAN.toml FOLDER --shards 64 --scheduler tcp://...  # a cluster that is there

A task is one shard: `pamt-bench sweep PLAN -o FOLDER --shard i/n`. The shard writes its results itself,
by renaming, into FOLDER (on several hosts: a shared file system), so a task may run twice or on a
worker that dies, and only its exit code travels. Tasks are submitted in a bounded window and released
when consumed: otherwise a dead worker makes tasks run again that had long ended.
"""

import argparse
import itertools
import subprocess
import sys
import time

from distributed import Client, LocalCluster, as_completed

ATTEMPTS = 3


def run_shard(program, plan, folder, shard):
    """Runs on a worker. 112 means that experiments failed: their reasons are in the folder."""
    command = [program, "sweep", plan, "-o", folder, "--shard", shard, "--jobs", "1", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    return shard, done.returncode, done.stderr[-2000:]


def submit(client, args, index):
    shard = f"{index}/{args.shards}"
    return client.submit(
        run_shard, args.program, args.plan, args.folder, shard, pure=False, retries=ATTEMPTS
    )


def run_shards(client, args, on_shard=lambda done: None):
    """Returns the shards that did not end well, with what they said."""
    deadline = time.monotonic() + args.timeout
    waiting = iter(range(args.shards))
    window = [submit(client, args, index) for index in itertools.islice(waiting, args.window)]
    bad, done = [], 0
    running = as_completed(window)
    for future in running:
        if future.status != "finished":
            bad.append(("a shard", -1, f"{future.exception()}"))
        else:
            shard, code, said = future.result()
            if code != 0:
                bad.append((shard, code, said))
        future.release()
        done += 1
        on_shard(done)
        if time.monotonic() > deadline:
            raise SystemExit(f"not done after {args.timeout} s: run the same command again to go on")
        for index in itertools.islice(waiting, 1):
            running.add(submit(client, args, index))
    return bad


def parse(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan")
    parser.add_argument("folder")
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--workers", type=int, default=3, help="worker processes of this host")
    parser.add_argument("--scheduler", help="address of a scheduler that is there")
    parser.add_argument("--window", type=int, default=256, help="most shards submitted at once")
    parser.add_argument("--timeout", type=float, default=86_400, help="seconds for the whole sweep")
    parser.add_argument("--program", default="pamt-bench", help="the binary, as workers see it")
    return parser.parse_args(words)


def open_client(args):
    if args.scheduler:
        return Client(args.scheduler)
    cluster = LocalCluster(
        n_workers=args.workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
    )
    return Client(cluster)


def main():
    args = parse(sys.argv[1:])
    with open_client(args) as client:
        bad = run_shards(client, args)
    for shard, code, said in bad:
        print(f"shard {shard} ended with {code}: {said}", file=sys.stderr)
    print(f"{args.shards - len(bad)} of {args.shards} shards; now: "
          f"{args.program} sweep collect {args.folder}", file=sys.stderr)
    return 112 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
