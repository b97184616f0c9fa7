"""The backoff doubles from 5 s to 10 min and is spread over its upper half."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queues.retry import FIRST_WAIT, LONGEST_WAIT, exponential_backoff


@settings(derandomize=True, database=None)
@given(attempt=st.integers(1, 10**6))
def test_every_wait_lies_between_half_and_all_of_its_step(attempt: int) -> None:
    full = FIRST_WAIT * 2 ** (attempt - 1) if attempt < 10 else LONGEST_WAIT
    assert min(full, LONGEST_WAIT) / 2 <= exponential_backoff(attempt) <= min(full, LONGEST_WAIT)


@pytest.mark.parametrize(
    ("attempt", "share", "seconds"), [(1, 1.0, 5), (2, 1.0, 10), (3, 0.5, 10), (99, 1.0, 600)]
)
def test_the_step_doubles_until_the_longest_wait(
    monkeypatch: pytest.MonkeyPatch, attempt: int, share: float, seconds: int
) -> None:
    def uniform(low: float, high: float) -> float:
        return low + (high - low) * (2 * share - 1)

    monkeypatch.setattr("random.uniform", uniform)
    assert exponential_backoff(attempt) == timedelta(seconds=seconds)


def test_two_tasks_that_failed_together_do_not_come_back_together() -> None:
    assert len({exponential_backoff(5) for _ in range(20)}) > 1
