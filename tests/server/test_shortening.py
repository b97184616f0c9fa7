from pydantic import BaseModel

from server.shortening import PAGE_CHARACTERS, shortened, shortened_text, that_fit, within


class Row(BaseModel):
    text: str


def test_what_is_short_stays_as_it_is() -> None:
    value = {"a": [1, 2.5, None, True], "b": {"c": "text"}}
    assert shortened(value) == value


def test_a_long_list_ends_with_how_many_more_there_are() -> None:
    assert shortened(list(range(50))) == [*range(20), "… 30 more"]


def test_long_lists_and_texts_are_cut_however_deep_they_lie() -> None:
    assert shortened({"a": [{"b": ["x" * 1003] * 21}]}) == {
        "a": [{"b": [*["x" * 1000 + "… 3 more characters"] * 20, "… 1 more"]}]
    }


def test_a_text_of_just_the_longest_length_is_not_cut() -> None:
    assert shortened_text("x" * 1000) == "x" * 1000


def test_what_is_still_too_long_is_cut_further() -> None:
    value = {"a": ["x" * 1000] * 20}
    assert within(value, 100_000) == value
    assert within(value, 5_000) == {"a": [*["x" * 300 + "… 700 more characters"] * 10, "… 10 more"]}
    assert within(value, 1_000) == {"a": [*["x" * 80 + "… 920 more characters"] * 3, "… 17 more"]}


def test_a_page_ends_before_it_is_too_long() -> None:
    rows = [Row(text="x" * 5000)] * 5
    assert len(that_fit(rows)) == PAGE_CHARACTERS // 5000


def test_a_page_holds_one_row_however_long() -> None:
    assert len(that_fit([Row(text="x" * (PAGE_CHARACTERS + 1))] * 2)) == 1


def test_no_rows_are_no_page() -> None:
    assert that_fit([]) == []
