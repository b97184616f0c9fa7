"""What our engine must reach, and whether it did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.engines.contestants import (
    BLOCKS_LOOP,
    LOSES_TASKS,
    OURS,
    RAW_IN_THREAD,
    RAW_ON_LOOP,
    Contestant,
)
from benchmarks.engines.results import Results


@dataclass(frozen=True, slots=True)
class Target:
    """A measure of ours, as a ratio to raw SQLite behind one writer thread; `more` says that more is better."""

    words: str
    key: str
    limit: float
    more: bool

    def met(self, ratio: float, limit: float) -> bool:
        return ratio >= limit if self.more else ratio <= limit


TARGETS = (
    Target("durable enqueue, one caller", "enqueue", 0.85, more=True),
    Target("durable enqueue, 8 callers", "enqueue8", 0.85, more=True),
    Target("drain", "drain", 1.0, more=True),
    Target("live", "live", 1.0, more=True),
    Target("dispatch p50", "p50", 1.1, more=False),
)
IMPORT_LIMIT = 1.3


# What was reached, in words, and whether that is enough; None where it is told but not judged.
Verdict: TypeAlias = tuple[str, bool | None]
MARKS = {True: "met", False: "MISSED", None: "told"}


def print_targets(contestants: Sequence[Contestant], results: Results, import_ratio: float | None) -> bool:
    """Print each target with what was reached; whether all that could be judged are met."""
    verdicts = [*_each_once(results), *_against_raw(results)]
    peers = [each for each in contestants if each.is_peer]
    verdicts += _against_peers([each for each in peers if each.only_told is None], results)
    if import_ratio is not None:
        words = f"import of queues.scheduler over that of its dependencies {import_ratio:.2f} (at most {IMPORT_LIMIT})"
        verdicts.append((words, import_ratio <= IMPORT_LIMIT))
    for why in (BLOCKS_LOOP, LOSES_TASKS):
        others = [each for each in peers if each.only_told == why]
        verdicts += [(f"{words}, which {why}", None) for words, _ in _against_peers(others, results)]
    print("\nours:" if verdicts else "")
    for words, met in verdicts:
        print(f"  {MARKS[met]:<6}  {words}")
    return not any(met is False for _, met in verdicts)


def _each_once(results: Results) -> Iterator[Verdict]:
    if results.median(OURS, "lost") is not None:
        wrong = sum(results.total(OURS, word) for word in ("overlaps", "lost", "doubled"))
        yield "every task ran, once, and never beside another one of its queue", wrong == 0


def _against_raw(results: Results) -> Iterator[Verdict]:
    for target in TARGETS:
        ratio = results.ratio(OURS, target.key, RAW_IN_THREAD)
        on_loop = results.ratio(OURS, target.key, RAW_ON_LOOP)
        if ratio is None or on_loop is None:
            continue
        bound = "at least" if target.more else "at most"
        words = f"{target.words}: {ratio:.3f} × raw behind one writer thread ({bound} {target.limit})"
        yield f"{words}; {on_loop:.2f} × raw on the loop", target.met(ratio, target.limit)


def _against_peers(peers: Sequence[Contestant], results: Results) -> Iterator[Verdict]:
    for target in (*TARGETS, Target("dispatch p99", "p99", 1.0, more=False)):
        values = {
            each.name: value for each in peers if (value := results.median(each.name, target.key)) is not None
        }
        best = (max if target.more else min)(values, key=values.__getitem__, default=None)
        ratio = None if best is None else results.ratio(OURS, target.key, best)
        if ratio is not None:
            yield f"{target.words}: {ratio:.3f} × the best peer, {best}", target.met(ratio, 1.0)
