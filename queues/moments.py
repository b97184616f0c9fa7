"""Moments and durations as the database stores them: whole microseconds, since 1970-01-01 UTC for moments."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def span_to_micros(span: timedelta) -> int:
    return span // _MICROSECOND


def span_from_micros(micros: int) -> timedelta:
    return timedelta(microseconds=micros)
