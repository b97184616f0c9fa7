"""Looking on while attempts run: an observer of them, and the ids on the lines that are logged meanwhile."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol, TypeAlias

from queues.model import Attempt, Task

Recorded: TypeAlias = Callable[[Sequence[Attempt]], None]
"""Takes the task's history once the attempt that is observed is recorded, as the last of it."""

_fields: ContextVar[Mapping[str, str | int]] = ContextVar("fields of log lines")


class Observer(Protocol):
    """Told of attempts by the workers, on the event loop: it neither waits nor raises."""

    def attempt(self, task: Task) -> AbstractContextManager[Recorded]:
        """Open from the claim until the end of the attempt.

        Nothing is told of one that is not recorded: the worker was cancelled, or the attempt ended elsewhere.
        """
        ...


def observed(observer: Observer | None, task: Task) -> AbstractContextManager[Recorded]:
    return nullcontext(_unheard) if observer is None else observer.attempt(task)


def _unheard(history: Sequence[Attempt]) -> None:
    del history


@contextmanager
def log_fields(**fields: str | int) -> Generator[None]:
    """Put these on every line logged inside, also by the tasks and threads that anyio starts there."""
    token = _fields.set({**current_log_fields(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def current_log_fields() -> Mapping[str, str | int]:
    return _fields.get({})
