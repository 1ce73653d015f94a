# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers' model in SimPy: one generator a process. See ../README.md."""

import resource
import sys

import simpy

HOLD_NS = 200
PARALLEL_NS = 1000


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: fifo_lock.py PROCESSES HANDOVERS")
    processes, handovers = int(sys.argv[1]), int(sys.argv[2])
    env = simpy.Environment()
    lock = simpy.Resource(env, capacity=1)
    finished = env.event()
    done = 0

    def process(index: int):
        nonlocal done
        # Distinct parallel sections, so that processes do not march in step.
        parallel_ns = PARALLEL_NS + index * 37 % 101
        while True:
            with lock.request() as request:
                yield request
                yield env.timeout(HOLD_NS)
            done += 1
            if done == handovers:
                finished.succeed()
            yield env.timeout(parallel_ns)

    for index in range(processes):
        env.process(process(index))
    begun = cpu_seconds()
    env.run(until=finished)
    print(f"{done} {cpu_seconds() - begun:.6f} {env.now:.0f}")


main()
