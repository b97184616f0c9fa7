"""The groundedness check before the evaluation set: the bar of each class, and of random numbers."""

import pytest

from handlers.grounding.check import check_grounding
from tests.evals.report import Report, evaluate

BAR = 0.95
RANDOM_BAR = 0.05


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluate(check_grounding)


def test_every_class_of_invented_numbers_is_told_from_grounded_verdicts(report: Report) -> None:
    assert [score for score in report.scores if score.worst < BAR] == [], str(report)


def test_a_random_number_hardly_ever_passes(report: Report) -> None:
    assert report.pass_rate <= RANDOM_BAR, str(report)
