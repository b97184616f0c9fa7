"""A check that cannot fail proves nothing: each finds what is wrong with a story that was doctored."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from queues.model import Attempt, QueueName, Task, TaskState
from queues.moments import to_micros
from queues.store import enqueue
from tests.chaos import checks
from tests.chaos.events import Event, Log, What
from tests.chaos.meddling import MANY_ATTEMPTS
from tests.chaos.member import drain
from tests.chaos.run import Weather
from tests.chaos.story import ENGINE_LOG, Story, read_story
from tests.chaos.work import Doom, open_chaos
from tests.queues.desk import FETCH, new

Check = Callable[[Story], Iterator[str]]


def live_through(home: Path) -> None:
    """Thirty tasks of one queue, run by one process that nothing disturbs."""
    log = Log(home / "log")
    (home / ENGINE_LOG).touch()
    database = open_chaos(home, Doom(log))
    for number in range(30):
        wishes = {"payload": {"token": f"token-{number}"}, "max_attempts": MANY_ATTEMPTS}
        [answer] = database.write_now(lambda tx, wishes=wishes: enqueue(tx, [new(FETCH, **wishes)]))
        log.write(What.ENQUEUED, queue=FETCH, task_id=answer.task.id, detail=f"token-{number}")
    database.close()
    anyio.run(drain, home, log)
    log.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("chaos")
    live_through(home)
    return home


@pytest.fixture(scope="module")
def story(home: Path) -> Story:
    return read_story(home)


def found(check: Check, story: Story, **doctored: object) -> str:
    """What the check finds in the doctored story; it must find nothing in the true one."""
    assert list(check(story)) == []
    breaches = list(check(replace(story, **doctored)))  # pyright: ignore[reportArgumentType] (fields by name)
    assert breaches
    return breaches[0]


def starts(story: Story) -> list[Event]:
    return list(story.of(What.STARTS))


def some_completed(story: Story) -> Task:
    return next(task for task in story.tasks.values() if task.state is TaskState.COMPLETED)


def with_attempts(story: Story, task: Task, attempts: Sequence[Attempt]) -> dict[str, Sequence[Attempt]]:
    return {**story.attempts, task.id: attempts}


def insert(story: Story, before: Event, *events: Event) -> list[Event]:
    place = story.events.index(before)
    return [*story.events[:place], *events, *story.events[place:]]


@pytest.mark.parametrize("check", checks.CHECKS)
def test_a_true_story_has_no_breach(check: Check, story: Story) -> None:
    assert len(starts(story)) >= 30
    assert list(check(story)) == []


def test_a_start_before_the_end_of_another_is_an_overlap(story: Story) -> None:
    end = next(story.of(What.ENDS))
    start = starts(story)[1]
    events = [event for event in story.events if event != end]
    events.insert(events.index(start) + 1, end)
    assert found(checks.overlaps, story, events=events).startswith("Two at once")


@pytest.mark.parametrize("queue", [FETCH, QueueName.AI_ANALYSIS])
def test_a_start_beside_a_stopped_process_is_an_overlap_in_any_queue(story: Story, queue: QueueName) -> None:
    end = next(story.of(What.ENDS))
    stopped = replace(end, what=What.STOPPED)
    beside = replace(end, what=What.STARTS, pid=1, queue=queue, task_id="other")
    assert "Two at once" in found(checks.overlaps, story, events=insert(story, end, stopped, beside))


def test_a_death_excuses_the_next_start_but_no_later_word_of_the_dead(story: Story) -> None:
    first = starts(story)[0]
    death = replace(first, what=What.KILLED, pid=1)
    before = [replace(first, pid=1), death]
    assert list(checks.overlaps(replace(story, events=[*before, *story.events]))) == []
    zombie = replace(first, pid=1, queue=QueueName.AI_ANALYSIS)
    events = [*before, *insert(story, starts(story)[1], zombie)]
    assert "another process had taken over" in found(checks.overlaps, story, events=events)


def test_an_end_without_its_start_is_found(story: Story) -> None:
    first = starts(story)[0]
    events = [event for event in story.events if event != first]
    assert "without its start" in found(checks.overlaps, story, events=events)


def test_attempts_that_overlap_in_the_database_are_found(story: Story) -> None:
    first, second, *rest = story.intervals
    longer = replace(first, ended_at=second.started_at + timedelta(microseconds=1))
    assert "in the database" in found(checks.stored_overlaps, story, intervals=[longer, second, *rest])


def test_a_missing_task_is_lost(story: Story) -> None:
    gone, *kept = story.tasks.values()
    assert found(checks.lost, story, tasks={task.id: task for task in kept}).startswith(
        f"Lost: {next(story.of(What.ENQUEUED))}"
    )
    assert gone.id not in {task.id for task in kept}


def test_another_task_with_the_id_of_a_lost_one_does_not_hide_it(story: Story) -> None:
    task = next(iter(story.tasks.values()))
    other = task._replace(payload={"token": "other"})
    assert found(checks.lost, story, tasks={**story.tasks, task.id: other}).startswith("Lost")


def test_a_task_that_never_ended_is_found(story: Story) -> None:
    task = some_completed(story)._replace(state=TaskState.QUEUED)
    assert found(checks.lost, story, tasks={**story.tasks, task.id: task}).startswith("Never ended")


def test_a_cancelled_task_that_ran_all_the_same_is_found(story: Story) -> None:
    cancel = replace(story.events[0], what=What.CANCELLED, task_id=some_completed(story).id)
    assert "cancel was lost" in found(checks.lost, story, events=[*story.events, cancel])


def test_a_claim_that_starts_twice_is_found(story: Story) -> None:
    assert "starts 2 times" in found(checks.doubled, story, events=[*story.events, starts(story)[0]])


def test_a_task_that_is_stored_twice_is_found(story: Story) -> None:
    twin = some_completed(story)._replace(id="twin")
    tasks, attempts = {**story.tasks, "twin": twin}, {**story.attempts, "twin": list[Attempt]()}
    assert found(checks.doubled, story, tasks=tasks, attempts=attempts).startswith("Stored 2 times")


def test_a_task_that_is_completed_twice_is_found(story: Story) -> None:
    task = some_completed(story)
    twice = [*story.attempts[task.id], story.attempts[task.id][-1]]
    doctored = found(checks.doubled, story, attempts=with_attempts(story, task, twice))
    assert doctored.startswith("Completed by the claims")


def test_a_completion_that_a_stale_claim_committed_is_found(story: Story) -> None:
    marks = {mark: claim + 1 for mark, claim in story.completions.items()}
    assert "its mark is of another" in found(checks.doubled, story, completions=marks)


def test_a_lost_effect_is_found(story: Story) -> None:
    assert "was lost" in found(checks.without_effect, story, effects=frozenset[tuple[str, int]]())


def test_a_lost_mark_of_a_completion_is_found(story: Story) -> None:
    assert "mark was lost" in found(checks.without_effect, story, completions={})


def test_a_lost_follow_up_is_found(story: Story) -> None:
    renamed = {
        name: task._replace(payload={**task.payload, "token": name}) for name, task in story.tasks.items()
    }
    assert "lacks" in found(checks.without_effect, story, tasks=renamed)


def test_a_task_that_is_passed_over_is_found(story: Story) -> None:
    last = max(story.tasks.values(), key=lambda task: story.attempts[task.id][0].started_at)
    urgent = last._replace(priority=9, enqueued_at=story.intervals[0].started_at)
    breach = found(checks.out_of_order, story, tasks={**story.tasks, last.id: urgent})
    assert breach.startswith("Out of order")


def test_an_interrupted_task_that_goes_on_after_its_equals_is_found(story: Story) -> None:
    first = story.tasks[starts(story)[0].task_id]
    cut = replace(story.attempts[first.id][0], outcome="interrupted")
    late = replace(cut, claim=2, started_at=story.intervals[-1].started_at, outcome="completed")
    doctored = with_attempts(story, first, [cut, late])
    assert "Out of order" in found(checks.out_of_order, story, attempts=doctored)


def test_an_interruption_that_spends_an_attempt_is_found(story: Story) -> None:
    task = some_completed(story)
    cut = replace(story.attempts[task.id][0], claim=1, outcome="interrupted")
    doctored = with_attempts(story, task, [cut, replace(cut, claim=2, attempt=2, outcome="completed")])
    assert found(checks.miscounted, story, attempts=doctored).startswith("After 0 spent")


def test_an_attempt_without_an_end_is_found(story: Story) -> None:
    task = some_completed(story)
    *earlier, last = story.attempts[task.id]
    doctored = with_attempts(story, task, [*earlier, replace(last, outcome=None)])
    assert found(checks.miscounted, story, attempts=doctored)


def test_counts_that_are_not_those_of_the_rows_are_found(story: Story) -> None:
    totals = {**story.totals, FETCH: {**story.totals[FETCH], TaskState.QUEUED: 1}}
    assert "the engine counts" in found(checks.miscounted, story, totals=totals)


@pytest.mark.parametrize("outcome", ["rescued", "interrupted"])
def test_an_attempt_that_was_cut_off_in_a_process_left_alone_is_found(story: Story, outcome: str) -> None:
    task = some_completed(story)
    cut = [replace(each, outcome=outcome) for each in story.attempts[task.id]]
    assert "left alone" in found(checks.unfounded, story, attempts=with_attempts(story, task, cut))


def test_a_start_in_a_held_queue_is_found_unless_the_hold_may_have_been_lifted(story: Story) -> None:
    first, last = story.intervals[0].started_at, story.intervals[-1].started_at
    hold = replace(
        story.events[0],
        what=What.HELD,
        queue=FETCH,
        task_id="member",
        detail=f"{to_micros(first)} {to_micros(last)}",
    )
    lifted = replace(hold, what=What.RELEASES, detail=str(to_micros(first)))
    assert "held queue" in found(checks.started_while_held, story, events=[hold])
    assert list(checks.started_while_held(replace(story, events=[hold, lifted]))) == []


def test_a_reference_that_leads_nowhere_is_damage(tmp_path: Path) -> None:
    live_through(tmp_path)
    with sqlite3.connect(tmp_path / "desk.db") as connection:  # without a care for foreign keys
        connection.execute("DELETE FROM tasks WHERE seq = 1")
    connection.close()
    assert list(checks.damaged(read_story(tmp_path)))


def test_an_error_that_the_engine_logged_is_found(story: Story) -> None:
    assert found(checks.complained, story, complaints=["7 ERROR The queue data_fetcher met an error"])


def test_storms_that_hit_nothing_have_missed_every_window() -> None:
    assert len(list(Weather(kills=100).misses())) == 6
