"""Our engine, its peers, and raw SQLite as the limit, in one run: `python -m benchmarks.engines`.

Each measure of each engine runs in a fresh process on data of its own, round after round, the engines in turn within
a round, so that noise hits all alike. Printed are medians; a ratio is the median of the ratios within the rounds.
Exits with 1 if a target is missed, with 2 if something that should be in the table is not.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

from benchmarks.engines.contestants import CONTESTANTS, LOCAL, OURS, Contestant
from benchmarks.engines.imports import import_milliseconds, import_ratio
from benchmarks.engines.measures import FULL, MEASURES, QUICK
from benchmarks.engines.results import Results
from benchmarks.engines.servers import Servers, is_installed
from benchmarks.engines.table import print_table
from benchmarks.engines.targets import print_targets
from benchmarks.machine import describe

# Of one process. On a quiet disk the longest takes a minute (ours runs 100,000 tasks for its stock).
PATIENCE_SECONDS = 400
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Contest:
    """Everything that the rounds share."""

    contestants: Sequence[Contestant]
    servers: Servers
    folder: Path
    results: Results
    quick: bool

    def run(self, rounds: int) -> None:
        for contestant in self.contestants:
            self.measure(contestant, "stock", f"stock-{contestant.name}")
        for number in range(rounds):
            for measure in MEASURES:
                if measure == "stock":
                    continue
                for contestant in self.contestants:
                    home = "stock" if measure == "inspect" else f"{measure}{number}"
                    self.measure(contestant, measure, f"{home}-{contestant.name}")
        for contestant in self.contestants:
            self.results.add(contestant.name, {"import": import_milliseconds(contestant.package)})

    def measure(self, contestant: Contestant, measure: str, home: str) -> None:
        """Run it in a process of its own and keep what it prints; an engine that failed runs no more."""
        if contestant.name in self.results.failures:
            return
        folder = self.folder / home
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.engines.one_round", contestant.name, measure]
        command += ["--folder", str(folder), "--url", self.servers.address(contestant.server, home)]
        try:
            done = subprocess.run(
                command + ["--quick"] * self.quick,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=True,
                cwd=REPOSITORY,
            )
        except subprocess.TimeoutExpired:
            self.results.fail(contestant.name, f"{measure} took longer than {PATIENCE_SECONDS} s")
        except subprocess.CalledProcessError as error:
            sys.stderr.write(error.stderr)
            self.results.fail(contestant.name, f"{measure}: {error.stderr.strip().splitlines()[-1]}")
        else:
            self.results.add(contestant.name, json.loads(done.stdout.splitlines()[-1]))
            sys.stderr.write(f"{home}: {done.stdout.splitlines()[-1]}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Our engine, its peers and raw SQLite, in one run.")
    parser.add_argument("--only", help="names of engines, separated by commas; a part of a name is enough")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small numbers; only raw SQLite and ours, unless --only says more",
    )
    parser.add_argument("--rounds", type=int, help="3, or 2 with --quick")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 3)
    wanted = chosen(arguments.only, LOCAL if arguments.quick else CONTESTANTS)
    absent = {each.name: reason for each in wanted if (reason := missing(each))}
    able = [each for each in wanted if each.name not in absent]
    results = Results(absent)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stockdesk-engines-")))
        servers = Servers(stack, folder)
        print(describe(*sorted({name for each in able for name in each.distributions})))
        print(f"fsync of 4 kB in the folder of the data: {fsync_milliseconds(folder):.2f} ms\n", flush=True)
        Contest(able, servers, folder, results, arguments.quick).run(rounds)
    print_table(wanted, results, QUICK if arguments.quick else FULL, rounds)
    ratio = import_ratio() if any(each.name == OURS for each in able) else None
    met = print_targets(wanted, results, ratio)
    if not met:
        return 1
    return 2 if results.failures else 0


def missing(contestant: Contestant) -> str | None:
    """What must be installed before this engine can take part, or None."""
    try:
        for distribution in contestant.distributions:
            version(distribution)
    except PackageNotFoundError:
        return "not installed: pip install -r benchmarks/requirements.txt"
    if contestant.server is not None and not is_installed(contestant.server):
        return f"not installed: apt-get install {contestant.server}"
    return None


def fsync_milliseconds(folder: Path) -> float:
    """The median time after which 4 kB are safe on the disk of this folder."""
    took: list[float] = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(200):
            begin = perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            took.append(1000 * (perf_counter() - begin))
    return statistics.median(took)


def chosen(only: str | None, unless_said: Sequence[Contestant]) -> list[Contestant]:
    if only is None:
        return list(unless_said)
    names = [name.strip().lower() for name in only.split(",")]
    found = [each for each in CONTESTANTS if any(name in each.name.lower() for name in names)]
    if not found:
        raise SystemExit(
            f"No engine is called {only}; there are {', '.join(each.name for each in CONTESTANTS)}."
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
