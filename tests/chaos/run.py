"""Storms over fresh homes until so many processes were killed. `.venv/bin/python tests/chaos/run.py --kills 10000`

Exits with 1 if a check of tests/chaos/checks.py finds anything, or if the storms hit too little. The seed settles what
is done to whom and when, not what that meets: the processes are real, and so is the scheduling of the machine.
"""

# ruff: noqa: T201 (it prints what it found)

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.machine import describe
from tests.chaos.checks import CHECKS
from tests.chaos.hits import AT_WORK, TARGETS, Hits
from tests.chaos.storm import Storm
from tests.chaos.story import read_story

# Checkpoints follow each other every few megabytes; more means that something kept all of them from it.
WAL_LIMIT = 32_000_000
# Breaches of one check that are printed; the rest is mostly more of the same.
SHOWN = 5


@dataclass(slots=True)
class Weather:
    """What all storms together did and found."""

    homes: int = 0
    kills: int = 0
    tasks: int = 0
    wal_peak: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    found: Counter[str] = field(default_factory=Counter[str])
    hits: Hits = field(default_factory=Hits)

    def pass_over(self, home: Path, seed: str, members: int, kills: int) -> list[str]:
        """One storm; returns what is wrong after it."""
        storm = Storm(home, Random(seed), members)
        storm.run(kills)
        story = read_story(home)
        self.homes += 1
        self.kills += storm.kills
        self.tasks += len(story.tasks)
        self.wal_peak = max(self.wal_peak, storm.wal_peak)
        self.outcomes.update(str(each.outcome) for each in story.attempts.values() for each in each)
        self.hits.add(story)
        wrong = storm.failures
        if storm.wal_peak > WAL_LIMIT:
            wrong.append(
                f"The write-ahead log grew to {storm.wal_peak} bytes, at most {WAL_LIMIT} are allowed."
            )
        for check in CHECKS:
            found = list(check(story))
            self.found[check.__name__] += len(found)
            wrong += found[:SHOWN]
        return wrong

    def misses(self) -> Iterator[str]:
        """What the storms did not meet often enough to prove anything."""
        at_work = Counter[str]()
        for (what, target), times in self.hits.blows.items():
            at_work[what.split()[0]] += times * (target == AT_WORK)
        for what, share in (("killed", 10), ("asked", 40), ("stopped", 100)):
            if at_work[what] < self.kills / share:
                yield f"Only {at_work[what]} times a leader with a running task was {what}, in {self.kills} kills."
        for came in ("claimed", "started", "ended"):
            if not self.hits.windows["rescued", came]:
                yield f"No process died with an attempt that had just {came}."

    def print_report(self) -> None:
        print(f"{'':<42}" + "".join(f"{target:>20}" for target in TARGETS))
        for what in sorted({what for what, _ in self.hits.blows}):
            print(f"{what:<42}" + "".join(f"{self.hits.blows[what, target]:>20,}" for target in TARGETS))
        print(f"\n{self.tasks:,} tasks; attempts: {_listed(self.outcomes)}")
        rescued = {came: times for (how, came), times in self.hits.windows.items() if how == "rescued"}
        print(f"the attempts that a death cut off had last: {_listed(Counter(rescued))}")
        if len(self.hits.takeovers) > 1:
            ms = statistics.quantiles(self.hits.takeovers, n=100, method="inclusive")
            print(
                f"death of a leader to the next one's first handler: p50 {ms[49]:.1f} ms, p99 {ms[98]:.1f} ms, max"
                f" {max(self.hits.takeovers):.1f} ms ({len(self.hits.takeovers):,} while no other died or was"
                " stopped; it may still be starting, its queues held)"
            )
        print(f"write-ahead log: at most {self.wal_peak / 1e6:.1f} MB")
        print("found: " + ", ".join(f"{name} {times}" for name, times in self.found.items()))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {times:,}" for name, times in counts.most_common())


def main() -> int:
    parser = argparse.ArgumentParser(description="Kills, stops and exits over processes that share one home.")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--kills-per-home", type=int, default=250)
    parser.add_argument("--members", type=int, default=4, help="processes of one home")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(describe())
    weather, begin = Weather(), time.monotonic()
    wrong: list[str] = []
    while weather.kills < arguments.kills and not wrong:
        home = Path(tempfile.mkdtemp(prefix="stockdesk-chaos-"))
        seed = f"{arguments.seed}/{weather.homes}"
        wrong = weather.pass_over(home, seed, arguments.members, arguments.kills_per_home)
        if wrong:
            print(f"\nWrong after the storm with the seed {seed}; its home stays in {home}")
        else:
            shutil.rmtree(home)
    print(
        f"{weather.kills:,} kills in {weather.homes} homes of {arguments.members} processes, seed {arguments.seed}, "
        f"in {time.monotonic() - begin:.0f} s\n"
    )
    weather.print_report()
    wrong += weather.misses()
    print("\n".join(["", *wrong]) if wrong else "nothing overlapped, was lost, doubled or out of order")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
