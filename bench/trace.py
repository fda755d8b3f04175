"""How long an answer takes: one cold process, traces in one process, memory.

    python bench/trace.py [--runs N]

Prints a table; every time stands beside its ratio to the yardstick of the same run (``bench/yardstick.py``).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from yardstick import seconds, yardstick

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

COLD = [sys.executable, "-m", "netsim", "trace", "pod-a", "svc-x"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""pip compiles what it installs, so a cold process of an installed netsim finds its bytecode; so do these."""


def cold(words: list[str], runs: int) -> tuple[float, float, int]:
    """Median wall and processor seconds of a whole process, and its peak memory in KiB."""
    walls, processors, peak = [], [], 0
    for _ in range(runs + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        subprocess.run(words, cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
        walls.append(time.perf_counter() - begin)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processors.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        peak = max(peak, after.ru_maxrss)
    return median(walls[1:]), median(processors[1:]), peak


def warm() -> tuple[float, float]:
    """Seconds to load the default topology, and for one trace of its three branches."""
    from netsim.scenario.build import load_world
    from netsim.scenario.question import PacketOptions, answer, question_of
    from netsim.scenario.sources import find_sources

    sources = find_sources(("default",), {})
    world, _ = load_world(sources)
    question = question_of(world, "pod-a", "svc-x", PacketOptions())

    def ten() -> None:
        for _ in range(10):
            answer(world, question)

    return seconds(lambda: load_world(sources)), seconds(ten) / 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    unit = yardstick()
    start, _, _ = cold([sys.executable, "-c", "pass"], runs)
    wall, processor, peak = cold(COLD, runs)
    load, trace = warm()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = [
        ("yardstick", unit),
        ("python -c pass, wall", start),
        ("netsim trace pod-a svc-x, cold process, wall", wall),
        ("netsim trace pod-a svc-x, cold process, processor", processor),
        ("load the default topology, warm", load),
        ("trace pod-a svc-x (3 branches, 9 packets), warm", trace),
    ]
    for name, value in rows:
        print(f"{name:<52} {value * 1000:9.1f} ms {value / unit:8.2f} yardsticks")
    print(f"{'traces a second, one process':<52} {1 / trace:9.0f}")
    print(f"{'peak memory of the cold process':<52} {peak / 1024:9.1f} MiB")
    print(f"{'peak memory of this process':<52} {own / 1024:9.1f} MiB")


if __name__ == "__main__":
    main()
