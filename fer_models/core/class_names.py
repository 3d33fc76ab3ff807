"""Reads the class names in a saved model, and compares them with those that are expected.

Probabilities are columns in an order. Settings can be reordered after a training, so that the file
itself has to say which column is which expression.
"""

import io
import json
import logging
from pathlib import Path
from typing import Final

from fer_data.core.errors import UserError
from fer_models.core.safe_zip import BROKEN, LimitError, bounded_zip, copy_member

logger = logging.getLogger(__name__)

METADATA: Final = "metadata.json"
"""The member of a `.keras` file that Keras writes and never reads."""
KEY: Final = "expressions"

_MOST_BYTES = 100_000


def expressions_in(file: Path) -> tuple[str, ...] | None:
    """Reads the K class names in a `.keras` file, in the order of its outputs.

    Returns:
        The names; None where the file has none: earlier versions, and Keras by itself, write none.
    """
    text = io.BytesIO()
    try:
        with bounded_zip(file) as archive:
            copy_member(archive, METADATA, text.write, most_bytes=_MOST_BYTES)
        metadata = json.loads(text.getvalue())
    except (LimitError, RecursionError, *BROKEN):
        return None  # loading the model reports what is wrong with the file
    names = metadata.get(KEY) if isinstance(metadata, dict) else None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def check_expressions(file: Path, expressions: tuple[str, ...]) -> None:
    """Checks that the class names in a model are the expected ones.

    Args:
        file: A `.keras` file.
        expressions: The expected K classes, in order.

    Raises:
        UserError: The file has other names, another order, or none.
    """
    found = expressions_in(file)
    if found is None:
        raise UserError(
            f"{file} does not name the expressions that it tells apart: an earlier version, or Keras by "
            "itself, saved it; `dvc repro` retrains it"
        )
    if found != expressions:
        raise _other(str(file), found, expressions)


def check_expressions_in_use(
    file: Path,
    expressions: tuple[str, ...],
    *,
    name: str,
    measured: tuple[str, ...] | None = None,
) -> None:
    """As `check_expressions`, but accepts models of earlier versions, which have no names.

    The names are then those of its evaluation. Without one, the expected names are assumed, with a
    warning.

    Args:
        file: A `.keras` file.
        expressions: The expected K classes, in order.
        name: The model's name in messages.
        measured: The classes of its evaluation, if they are known.

    Raises:
        UserError: It has other names, or another order.
    """
    found = expressions_in(file) or measured
    if found is None:
        logger.warning(
            "%s does not name the expressions that it tells apart: taken for %s, in this order",
            *(name, ", ".join(expressions)),
        )
    elif found != expressions:
        raise _other(name, found, expressions)


def _other(name: str, found: tuple[str, ...], expected: tuple[str, ...]) -> UserError:
    return UserError(
        f"{name} tells {', '.join(found)} apart, in this order; expected {', '.join(expected)}: put "
        "`data.expressions` of params.yaml back as they were, or `dvc repro` retrains it"
    )
