"""What every stage's `main()` shares: path flags, log, one-line errors, JSON, atomic writes."""

import argparse
import fcntl
import json
import logging
import math
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fer_data.core.errors import UserError as UserError
from fer_data.core.errors import told_in_one_line
from fer_data.core.files import sync, sync_folder
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


def refuse_folder(target: Path) -> None:
    """Refuses to write where a folder is; call it before any work on what belongs there.

    Raises:
        UserError: `target` is a folder, or a link to one.
    """
    if target.is_dir():
        what = "a link to a folder" if target.is_symlink() else "a folder"
        raise UserError(
            f"{target} is {what}, which is not replaced: expected a name that does not exist yet"
        )


@contextmanager
def written_beside(target: Path, *, replace_folder: bool = False) -> Iterator[Path]:
    """Gives a path beside `target` to write a file or a folder to, and renames it at the end.

    So `target` never holds half an output: after an error, a killed process or a power cut, it is as
    it was, or whole.

    Args:
        target: Where the finished file or folder belongs. Its parent is made if need be; a file that
            stands there is replaced.
        replace_folder: Whether a folder that stands there is replaced too, with all that is in it:
            only for a stage that owns the folder, never for a path that a person names.

    Yields:
        The path to write to, which does not exist yet.

    Raises:
        UserError: `target` is a folder, and `replace_folder` is false.
    """
    if not replace_folder:
        refuse_folder(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _own_folder(target) as folder:
        beside = folder / target.name
        yield beside
        sync(beside)
        if not replace_folder:
            refuse_folder(target)  # it may have come in the meantime
        elif target.is_dir():
            _remove(target)
        beside.replace(target)
        sync_folder(target.parent)


@contextmanager
def _own_folder(target: Path) -> Iterator[Path]:
    """Makes a folder beside `target` that no other writer has, and removes it at the end.

    Those that killed processes left are removed too. A living process holds a lock on its own.
    """
    ours = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.unfinished")
    for left in target.parent.iterdir():
        if ours.fullmatch(left.name) and left.is_dir():
            with _locked(left) as locked:
                if locked:
                    shutil.rmtree(left, ignore_errors=True)
    while True:
        folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.unfinished")
        folder.mkdir()
        with _locked(folder, wait=True):
            if not folder.is_dir():
                continue  # another writer took it for left behind before it was locked
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


@contextmanager
def _locked(folder: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process holds the folder: not if it is gone, or its file system has no locks."""
    with ExitStack() as stack:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
        else:
            yield True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
