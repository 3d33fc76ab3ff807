"""Which classes a saved model tells apart: the names in its file, held against those of whoever asks.

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
"""The part of a `.keras` file that Keras writes and never reads."""
KEY: Final = "expressions"

_MOST_BYTES = 100_000


def expressions_in(file: Path) -> tuple[str, ...] | None:
    """The K classes that a `.keras` file says it tells apart, in the order of its outputs.

    Returns:
        The names; None where the file has none: earlier versions, and Keras by itself, write none.
    """
    text = io.BytesIO()
    try:
        with bounded_zip(file) as archive:
            copy_member(archive, METADATA, text.write, most_bytes=_MOST_BYTES)
        metadata = json.loads(text.getvalue())
    except (LimitError, RecursionError, *BROKEN):
        return None  # what loads the model says what is wrong with the file
    names = metadata.get(KEY) if isinstance(metadata, dict) else None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


def check_expressions(file: Path, expressions: tuple[str, ...]) -> None:
    """Refuses a model that does not say it tells these classes apart.

    Args:
        file: A `.keras` file.
        expressions: The K classes, in the order of the columns of whoever asks.

    Raises:
        UserError: It names others, in another order, or none.
    """
    found = expressions_in(file)
    if found is None:
        raise UserError(
            f"{file} does not name the expressions that it tells apart: an earlier version, or Keras by "
            "itself, saved it; `dvc repro` trains it anew"
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
    """As `check_expressions`, for who uses models, also those that earlier versions saved.

    A model without names is taken at what `evaluate` measured it by. Where that is not known either, it
    is taken at the names of whoever asks, with a line that says so.

    Args:
        file: A `.keras` file.
        expressions: The K classes, in the order of the columns of whoever asks.
        name: What messages call the model.
        measured: The classes that it was measured by, if they are known.

    Raises:
        UserError: It tells others apart, or in another order.
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
        "`data.expressions` of params.yaml back as they were, or `dvc repro` trains it anew"
    )
