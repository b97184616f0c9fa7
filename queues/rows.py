"""Rows of the engine's tables as nouns, and back."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from queues.errors import InvalidTaskError
from queues.model import Attempt, Hold, JsonObject, Progress, QueueName, Task, TaskState
from queues.moments import from_micros, span_from_micros

TASK_COLUMNS = (
    "seq, id, run_id, queue, kind, payload, state, priority, carried, dedup_key, attempt, max_attempts, "
    "claim, epoch, timeout, asked_at, approval_window, enqueued_at, due_at, started_at, finished_at, "
    "progress_done, progress_total, progress_message, cancel_requested, note, result, error, revision"
)
# An id ends with the seq of its task, which is looked up; a queue that does not fit it is another id.
_SEQ_IN_ID = "CAST(substr({0}, instr({0}, '-') + 1) AS INTEGER)"
HAS_ID = f"seq = {_SEQ_IN_ID.format(':id')} AND id = :id"
HAS_ONE_OF_IDS = (
    f"seq IN (SELECT {_SEQ_IN_ID.format('value')} FROM json_each(:ids))"
    " AND id IN (SELECT value FROM json_each(:ids))"
)
ATTEMPT_COLUMNS = "claim, attempt, epoch, started_at, ended_at, outcome, detail"
HOLD_COLUMNS = "queue, source, reason, held_at, until"
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_QUEUES = {queue.value: queue for queue in QueueName}
_STATES = {state.value: state for state in TaskState}


def dump(value: JsonObject) -> str:
    """JSON text of an object.

    Raises:
        InvalidTaskError: the value holds something that JSON or UTF-8 cannot hold (NaN, a set, a date, half
            of a surrogate pair…).
    """
    if not isinstance(value, dict):
        # Mapping is what the type promises; a list here would be stored and then fail the CHECK.
        if not isinstance(value, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] (handlers may lie)
            raise InvalidTaskError(f"A JSON object is needed, not {type(value).__name__}.")
        value = dict(value)
    try:
        text = _ENCODER.encode(value)
        text.encode()  # half of a surrogate pair is refused here
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidTaskError(f"JSON cannot hold this object: {error}.") from error
    return text


def read_task(row: tuple[Any, ...]) -> Task:
    (seq, id_, run_id, queue, kind, payload, state, priority, carried, dedup_key, attempt, max_attempts,
     claim, epoch, timeout, asked_at, approval_window, enqueued_at, due_at, started_at, finished_at,
     done, total, message, cancel_requested, note, result, error, revision) = row  # fmt: skip
    return Task(
        seq=seq,
        id=id_,
        run_id=run_id,
        queue=_QUEUES[queue],
        kind=kind,
        payload=json.loads(payload),
        state=_STATES[state],
        priority=priority,
        carried=carried == 1,
        dedup_key=dedup_key,
        attempt=attempt,
        max_attempts=max_attempts,
        claim=claim,
        epoch=epoch,
        timeout=span_from_micros(timeout),
        asked_at=from_micros(asked_at),
        approval_window=_maybe(span_from_micros, approval_window),
        enqueued_at=from_micros(enqueued_at),
        due_at=from_micros(due_at),
        started_at=_maybe(from_micros, started_at),
        finished_at=_maybe(from_micros, finished_at),
        progress=None if total is None else Progress(done, total, message),
        cancel_requested=cancel_requested,
        note=note,
        result=_maybe(json.loads, result),
        error=error,
        revision=revision,
    )


def read_attempt(row: tuple[Any, ...]) -> Attempt:
    claim, attempt, epoch, started_at, ended_at, outcome, detail = row
    return Attempt(
        claim=claim,
        attempt=attempt,
        epoch=epoch,
        started_at=from_micros(started_at),
        ended_at=_maybe(from_micros, ended_at),
        outcome=outcome,
        detail=detail,
    )


def read_hold(row: tuple[Any, ...]) -> Hold:
    queue, source, reason, held_at, until = row
    return Hold(
        queue=QueueName(queue),
        source=source,
        reason=reason,
        held_at=from_micros(held_at),
        until=_maybe(from_micros, until),
    )


def _maybe(read: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else read(value)
