"""The current time as files hold it: UTC, to the second."""

from datetime import UTC, datetime


def now() -> str:
    """The time in UTC, to the second: `2026-01-31T10:00:00Z`."""
    return to_utc(datetime.now(UTC))


def to_utc(moment: datetime) -> str:
    """A moment as `now` gives it; one without a time zone is taken for UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
