"""How full the queues are, read from the database in the thread that collects metrics; the event loop never waits."""

from collections.abc import Callable, Iterable, Iterator

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from queues.database import Database, Transaction
from queues.holds import current_holds
from queues.inspection import totals
from queues.model import QueueName


def add(meter: Meter, database: Database, is_leader: Callable[[], bool]) -> None:
    """Let `meter` report them, from this process only while it leads: a sum over processes is then that of the desk."""

    def observe(
        read: Callable[[Transaction], Iterator[Observation]],
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: database.read_now(lambda tx: list(read(tx))) if is_leader() else []

    meter.create_observable_gauge(
        "stockdesk.queue.depth", [observe(_depths)], "{task}", "Tasks of a queue in each state."
    )
    meter.create_observable_gauge(
        "stockdesk.queue.holds", [observe(_holds)], "{hold}", "Holds of a queue that are in force."
    )


def _depths(tx: Transaction) -> Iterator[Observation]:
    for queue in QueueName:
        for state, count in totals(tx, queue).items():
            yield Observation(
                count, {"messaging.destination.name": queue.value, "stockdesk.task.state": state.value}
            )


def _holds(tx: Transaction) -> Iterator[Observation]:
    for queue in QueueName:
        yield Observation(len(current_holds(tx, queue)), {"messaging.destination.name": queue.value})
