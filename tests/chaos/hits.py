"""What the storms hit: a storm that hit nothing proves nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.chaos.events import Event, What
from tests.chaos.story import Story

TARGETS = AT_WORK, BETWEEN, FOLLOWER = "leader with a task", "leader without", "others"


@dataclass(slots=True)
class Hits:
    """Counted over any number of storms."""

    blows: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By what was done and to whom."""
    windows: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By how an attempt was cut off and how far it had come."""
    takeovers: list[float] = field(default_factory=list[float])
    """Milliseconds from the death of a leader to the first line of a handler in the next one."""

    def add(self, story: Story) -> None:
        self.blows.update(_blows(story.events))
        self.windows.update(_windows(story))
        self.takeovers += _takeovers(story.events)


def _blows(events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    leader = 0
    running: dict[str, int] = {}
    stopped, leaving, dead = set[int](), set[int](), set[int]()
    for event in events:
        pid = event.pid
        target = AT_WORK if pid in running.values() else BETWEEN if pid == leader else FOLLOWER
        match event.what:
            case What.STARTS:
                leader = running[event.queue] = pid
            case What.ENDS:
                running.pop(event.queue, None)
            case What.STOPPED:
                stopped.add(pid)
                yield "stopped", target
            case What.CONTINUED:
                stopped.discard(pid)
            case What.ASKED:
                leaving.add(pid)
                yield "asked to leave", target
            case What.KILLED if pid not in dead:
                dead.add(pid)
                how = " while stopped" if pid in stopped else " while leaving" if pid in leaving else ""
                yield f"killed{how}", target
            case What.DIES if pid not in dead:
                dead.add(pid)
                yield f"killed itself, {event.detail}", target
            case _:
                pass


def _windows(story: Story) -> Iterator[tuple[str, str]]:
    started, ended = (
        {(event.task_id, event.claim) for event in story.of(what)} for what in (What.STARTS, What.ENDS)
    )
    for task_id, attempts in story.attempts.items():
        for each in attempts:
            if each.outcome in ("rescued", "interrupted"):
                attempt = task_id, each.claim
                came = "ended" if attempt in ended else "started" if attempt in started else "claimed"
                yield each.outcome, came


def _takeovers(events: Sequence[Event]) -> Iterator[float]:
    """Those that nothing disturbed: no other death, and no process that is stopped and may be the next leader."""
    leader = 0
    death: Event | None = None
    stopped = set[int]()
    for event in events:
        match event.what:
            case What.STARTS:
                if death is not None and event.pid != death.pid:
                    yield (event.at - death.at) / 1e6
                    death = None
                leader = event.pid
            case What.KILLED | What.DIES:
                stopped.discard(event.pid)
                death = event if event.pid == leader and not stopped else None
            case What.STOPPED:
                stopped.add(event.pid)
                death = None
            case What.CONTINUED:
                stopped.discard(event.pid)
            case _:
                pass
