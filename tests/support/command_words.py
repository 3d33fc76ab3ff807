"""Command lines of stages, for tests that call `main()` in their own process."""

from collections.abc import Mapping


def words_of(flags: Mapping[str, str]) -> list[str]:
    """`{"label_quality": "a.parquet"}` as it is typed: `--label-quality a.parquet`."""
    return [w for name, value in flags.items() for w in (f"--{name.replace('_', '-')}", value)]
