#!/usr/bin/env python3
"""Three worker processes on 127.0.0.1, one killed mid-run: the merged bytes equal those of one process.

    test_sweep_dask.py PROGRAM PLAN.toml
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from sweep_dask import open_client, parse, run_shards

SHARDS = 24


def merged(program, folder):
    subprocess.run([program, "sweep", "collect", folder], check=True, capture_output=True)
    return (pathlib.Path(folder) / "merged.json").read_bytes()


def on_dask(program, plan, folder):
    args = parse([plan, folder, "--program", program, "--shards", str(SHARDS), "--window", "12",
                  "--timeout", "300"])
    killed = []

    def kill_one(done):
        if done == SHARDS // 3 and not killed:
            victim = sorted(client.run(os.getpid).values())[0]
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    with open_client(args) as client:
        bad = run_shards(client, args, kill_one)
    assert killed, "no worker was killed: the test tested nothing"
    assert not bad, bad


def main():
    program, plan = (str(pathlib.Path(word).resolve()) for word in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as top:
        alone, spread = f"{top}/alone", f"{top}/spread"
        subprocess.run([program, "sweep", plan, "-o", alone, "--quiet"], check=True)
        on_dask(program, plan, spread)
        expected, found = merged(program, alone), merged(program, spread)
    assert expected == found, "the merged bytes differ"
    print(f"equal: {len(found)} bytes from 1 process and from 3 workers of which one was killed")


if __name__ == "__main__":
    main()
