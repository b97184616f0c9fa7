"""The evaluation set by itself: its cases are what they claim to be, whatever any check makes of them."""

from collections import Counter

from tests.evals.cases import Case, hand_made, stocks
from tests.evals.generated import KINDS, changed, grounded, texts, twins
from tests.evals.oracle import amounts, numbers_in
from tests.evals.randoms import random_cases
from tests.evals.report import evaluate

CLASSES = {
    "another_stocks_number",
    "correct_derivation",
    "currency_mix_up",
    "grounded",
    "invented_target",
} | {
    *("lakh_crore_million_billion", "off_by_a_digit", "percent_vs_fraction", "stale_date"),
    *("wrong_derivation", "wrong_direction", "wrong_unit"),
}


def accept_all(*_: object) -> list[str]:
    return []


def refuse_all(*_: object) -> list[str]:
    return ["no"]


def unknown_numbers(case: Case) -> list[str]:
    known = amounts(case.stock, case.submission["evidence"])
    printed = [number for _, text in texts(case.submission) for number in numbers_in(text)]
    return [str(number) for number in printed if not any(number.means(amount) for amount in known)]


def test_each_class_has_at_least_five_hand_made_cases_and_the_grounded_one_twenty() -> None:
    sizes = Counter(case.kind for case in hand_made())
    assert set(sizes) == CLASSES
    assert min(sizes.values()) >= 5
    assert sizes["grounded"] >= 20
    assert sizes.total() >= 60


def test_all_cases_have_the_form_of_a_verdict_and_an_id_of_their_own() -> None:
    for cases in (hand_made(), changed()):
        ids = [f"{case.kind}/{case.id}" for case in cases]
        assert len(set(ids)) == len(ids)
    for case in (*hand_made(), *changed(), *twins(), *random_cases()):
        assert case.verdict().symbol == case.stock.name


def test_the_texts_of_a_case_are_all_that_the_verdict_counts_as_free_text() -> None:
    for case in hand_made():
        assert sorted(text for _, text in texts(case.submission)) == sorted(case.verdict().free_texts)


def test_a_fact_id_belongs_to_one_stock() -> None:
    ids = [fact.id for stock in stocks().values() for fact in stock.facts]
    assert len(set(ids)) == len(ids)


def test_every_number_of_a_grounded_case_is_supplied() -> None:
    # the oracle reads no unit into the first end of a range
    assert {case.id: found for case in grounded() if (found := unknown_numbers(case))} == {
        "infy-ranges": ["20.5"]
    }


def test_every_reworded_number_is_still_supplied() -> None:
    assert {each for case in twins() for each in unknown_numbers(case)} <= {"20.5", "20"}


def test_thousands_of_changed_verdicts_come_from_every_kind_of_change() -> None:
    sizes = Counter(case.kind for case in changed())
    assert set(sizes) == set(KINDS)
    assert sizes.total() >= 2000
    assert min(sizes.values()) >= 100
    assert len(twins()) == sizes.total()


def test_the_changed_verdicts_differ_from_what_they_came_from() -> None:
    bases = {f"{base.kind}/{base.id}": base.submission for base in grounded()}
    assert all(case.submission != bases[case.id.partition(":")[0]] for case in changed())


def test_generating_again_gives_the_same() -> None:
    before = [case.submission for case in changed()]
    changed.cache_clear()
    assert [case.submission for case in changed()] == before


def test_a_check_that_accepts_everything_recalls_no_invention() -> None:
    scores = {score.kind: score for score in evaluate(accept_all).scores}
    assert scores["off_by_a_digit"].recall == 0
    assert scores["grounded"].recall == 1
    assert scores["grounded"].precision < 0.3


def test_a_check_that_refuses_everything_is_imprecise() -> None:
    report = evaluate(refuse_all)
    assert report.pass_rate == 0
    assert all(score.precision < 0.6 for score in report.scores)
