"""Reads YAML 1.2 as DVC does: UTF-8, no key twice."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

from fer_data.core.errors import UserError, one_line

_CONFLICT_MARKS = ("<<<<<<<", "|||||||", ">>>>>>>")
_UNFIT = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""What ruamel raises of a tag that does not fit its value, as in `!!bool x`, and of endless nesting."""


def read_yaml(file: Path) -> Any:
    """Reads a YAML file.

    Raises:
        FileNotFoundError: There is no such file.
        UserError: It is not UTF-8, not YAML, has a key twice, or git left a conflict in it.
    """
    data = file.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise UserError(f"{file} looks like UTF-16: save it in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(f"{file} is not UTF-8 (line {line}): save it in UTF-8") from None
    return parse_yaml(text, where=str(file))


def parse_yaml(text: str, *, where: str) -> Any:
    """Parses a text in YAML.

    Args:
        text: The YAML.
        where: What the message begins with.

    Raises:
        UserError: It is not YAML, has a key twice, or git left a conflict in it.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(_CONFLICT_MARKS):
            raise UserError(
                f"{where}, line {number}: git left a conflict there: keep one side, and remove the "
                "lines that begin with <<<<<<<, ======= and >>>>>>>"
            )
    try:
        return deepcopy(_load(text))
    except DuplicateKeyError as error:
        found = str(error.problem).partition(" with value")[0]
        raise UserError(f"{where}{_line(error)}: {one_line(found)}: keep one of them") from None
    except MarkedYAMLError as error:
        reason = ": ".join(part for part in (error.context, error.problem) if part)
        raise UserError(f"{where} is not YAML{_line(error)}: {one_line(reason)}") from None
    except (YAMLError, *_UNFIT) as error:
        raise UserError(f"{where} is not YAML: {' '.join(str(error).split())}") from None


# One command asks for dozens of paths, each of which stands in dvc.yaml: 6 ms to parse, .3 ms to copy.
@lru_cache(maxsize=8)
def _load(text: str) -> Any:
    return YAML(typ="safe").load(text)


def _line(error: MarkedYAMLError) -> str:
    return "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
