"""How the track record is shown. Shares are between 0 and 1, returns too: 0.05 is 5 %."""

from collections.abc import Iterator

from handlers.track_record import FEWEST, Record, TrackRecord, Weeks
from handlers.verdict import DISCLAIMER
from server.views import View


class RecordView(View):
    """One analyst's verdicts of one action or one band of conviction. `n` have a known alpha, of `of_all`.

    `hit_rate_low` to `hit_rate_high` is its 95 % interval, were the verdicts independent. `brier` is 0 at best.
    `is_enough` is false where n is too small to tell anything. What is not known is null.
    """

    analyst: str
    group: str
    of_all: int
    n: int
    is_enough: bool
    mean_return: float | None
    mean_alpha: float | None
    hit_rate: float | None
    hit_rate_low: float | None
    hit_rate_high: float | None
    brier: float | None

    @classmethod
    def of(cls, record: Record) -> "RecordView":
        return cls(
            analyst=record.analyst,
            group=record.group,
            of_all=record.of_all,
            n=record.n,
            is_enough=record.is_enough,
            mean_return=_rounded(record.mean_return),
            mean_alpha=_rounded(record.mean_alpha),
            hit_rate=_rounded(record.hit_rate),
            hit_rate_low=_rounded(record.hit_rate_low),
            hit_rate_high=_rounded(record.hit_rate_high),
            brier=_rounded(record.brier),
        )


class TrackRecordView(View):
    """What became of verdicts after `weeks` weeks. `waiting` are not due, or lack prices since."""

    weeks: int
    by_action: list[RecordView]
    by_conviction: list[RecordView]
    waiting: int
    message: str
    disclaimer: str = DISCLAIMER


def track_record_view(record: TrackRecord, weeks: Weeks) -> TrackRecordView:
    return TrackRecordView(
        weeks=weeks,
        by_action=[RecordView.of(each) for each in record.by_action],
        by_conviction=[RecordView.of(each) for each in record.by_conviction],
        waiting=record.waiting,
        message=" ".join(_remarks(record, weeks)),
    )


def _remarks(record: TrackRecord, weeks: Weeks) -> Iterator[str]:
    known = sum(each.n for each in record.by_action)
    lacking = sum(each.of_all for each in record.by_action) - known
    yield f"{known} verdict{'s' * (known != 1)} with an outcome after {weeks} week{'s' * (weeks != 1)}."
    if record.waiting:
        yield f"{record.waiting} are not due yet, or their prices were not fetched since."
    if lacking:
        yield f"{lacking} have no alpha: the benchmark's prices are missing."
    if any(not each.is_enough for each in record.by_action):
        yield f"Groups of fewer than {FEWEST} tell nothing: do not conclude anything from them."
    if known:
        yield "Verdicts of one stock a few days apart share most of their outcome, so less is known than n suggests."


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
