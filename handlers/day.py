"""The desk's day: from midnight to midnight where its owner lives. A zone of None is that of the machine."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def day_of(now: datetime, zone: tzinfo | None) -> tuple[datetime, datetime]:
    """The first moment of the day of `now` and that of the next, in UTC; 23 or 25 hours apart when clocks change."""
    today = now.astimezone(zone).date()
    return _midnight(today, zone), _midnight(today + timedelta(days=1), zone)


def spoken(moment: datetime, zone: tzinfo | None, *, now: datetime) -> str:
    """The moment as a person reads it: "14:20 IST", with its date where that is not the day of `now`."""
    local = moment.astimezone(zone)
    is_today = local.date() == now.astimezone(zone).date()
    return f"{local:%H:%M %Z}" if is_today else f"{local:%Y-%m-%d %H:%M %Z}"


def dated(moment: datetime, zone: tzinfo | None) -> str:
    """The same with its date in any case, for what is stored and may be read on another day."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    # Where the clocks skip it, Python reads it in the offset before: that is the moment at which they skip.
    return datetime.combine(day, time(), zone).astimezone(UTC)
