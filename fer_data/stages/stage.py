"""The command line of a stage: path flags, log, one-line errors, JSON."""

import argparse
import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fer_data.core.errors import UserError, told_in_one_line
from fer_data.stages.all_settings import check_settings
from fer_data.stages.input_changes import watched


def parse_flags(description: str | None, *paths: str, **choices: type) -> argparse.Namespace:
    """Parses a stage's command line.

    Args:
        description: The module's docstring, shown by `--help`.
        *paths: Names of required path flags: `"manifest"` gives `--manifest PATH`.
        **choices: Names and types of the other required flags: `fold=int` gives `--fold INT`.

    Returns:
        A namespace with a `Path` for each name in `paths`, a value for each in `choices`.
    """
    parser = argparse.ArgumentParser(description=description)
    for name in paths:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True)
    for name, kind in choices.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, required=True)
    return parser.parse_args()


def run(main: Callable[[], None]) -> None:
    """Runs a stage's `main`: its log goes to standard error, errors are one line and exit code 1.

    One that DVC runs also fails where a setting of any stage is wrong, since a later one would fail
    after hours, and where what it reads changed meanwhile: see `sections` and `inputs`.
    """
    log = logging.StreamHandler(sys.stderr)
    log.addFilter(_ours_or_urgent)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[log])
    with told_in_one_line(), watched() as is_of_dvc:
        if is_of_dvc:
            check_settings()
        main()


def _ours_or_urgent(record: logging.LogRecord) -> bool:
    """Whether a record is of a stage (which runs as `__main__`), or at least a warning."""
    ours = record.name.split(".")[0] in ("__main__", "fer_data", "fer_models")
    return ours or record.levelno >= logging.WARNING


def json_text(
    value: Any, *, of: str | Path, indent: int | None = 2, ensure_ascii: bool = True
) -> str:
    """A value as the content of a JSON file, which ends with a line feed.

    Args:
        value: What the file is to hold.
        of: Which file, or part of one, for the message.
        indent: How far each level is indented; None writes one line.
        ensure_ascii: Whether other letters are written as numbers.

    Raises:
        UserError: A number is none, or infinite: JSON has no such thing, and readers would fail later.
    """
    for key, number in _numbers(value):
        if not math.isfinite(number):
            where = f"'{key}' of {of}" if key else str(of)
            raise UserError(f"{where} is {number}, expected a number, since JSON holds no other")
    text = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)
    return text + "\n"


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Each number that a value holds, at any depth, with its dotted key."""
    if isinstance(value, float):
        yield key, value
    elif isinstance(value, Mapping | list | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, one in items:
            yield from _numbers(one, f"{key}.{name}" if key else str(name))
