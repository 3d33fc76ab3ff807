"""Writes predictions of images: as CSV, as JSON lines, or as a table for people."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_data.stages.stage import json_text
from fer_models.inference.calibrated_model import prediction_in_words
from fer_models.inference.image_predictions import Row
from fer_models.inference.input_paths import in_words, on_screen

COLUMNS = (
    *("path", "face", "left", "top", "width", "height", "confidence"),
    *("expression", "set", "model"),
)
"""Of a CSV, before a column for each expression's probability."""

_WIDEST = 1000
_FORMULA_STARTS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the start of a formula, full width too (OWASP, CSV Injection)."""


def write_csv(rows: Iterable[Row], expressions: tuple[str, ...], target: TextIO) -> None:
    """Writes a header, and a line a row; `set` parts its expressions by `|`, the most probable first."""
    plain = csv.writer(target, lineterminator="\n")
    # The module quotes no `\r`, which ends a line for readers, and no `;`, which ends a cell where
    # spreadsheets have the decimal comma.
    quoted = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow([*COLUMNS, *expressions])
    for row in rows:
        writer = quoted if set("\r;") & set(in_words(row.path)) else plain
        if row.face is None or row.probabilities is None:
            writer.writerow(
                [_cell(row.path), row.number, *[""] * (len(COLUMNS) - 2 + len(expressions))]
            )
            continue
        confidence = f"{row.face.confidence:.4f}"
        prediction = [row.expression, "|".join(row.in_set), in_words(row.model)]
        probabilities = (f"{one:.4f}" for one in row.probabilities)
        face = [row.number, *row.face.box, confidence]
        writer.writerow([_cell(row.path), *face, *prediction, *probabilities])


def _cell(path: Path) -> str:
    """A path as a cell in which no spreadsheet sees a formula, and which programs can still open.

    Only a relative path can start like a formula, and `./=it.png` is the file `=it.png`: no quotation
    mark has to be taken off again.
    """
    text = in_words(path)
    return f"./{text}" if text.startswith(_FORMULA_STARTS) else text


def write_jsonl(rows: Iterable[Row], expressions: tuple[str, ...], target: TextIO) -> None:
    """Writes an object a row; `face` is 0, and the rest is null, where an image shows no face."""
    for row in rows:
        line: dict[str, Any] = dict.fromkeys((*COLUMNS, "probabilities"))
        line.update(path=in_words(row.path), face=row.number)
        if row.face is not None and row.probabilities is not None:
            line.update(zip(("left", "top", "width", "height"), row.face.box, strict=True))
            line.update(confidence=round(row.face.confidence, 4), expression=row.expression)
            line.update(set=row.in_set, model=in_words(row.model))
            values = (round(float(one), 4) for one in row.probabilities)
            line["probabilities"] = dict(zip(expressions, values, strict=True))
        target.write(json_text(line, of=f"the row of {in_words(row.path)}", indent=None))


def write_table(rows: Iterable[Row], expressions: tuple[str, ...], target: TextIO) -> None:
    """Draws a table when all rows are there, which are of one model; without any, nothing."""
    table = Table("image", "face", "expression", *expressions)
    table.columns[0].overflow = "fold"
    table.columns[2].min_width = max(len(name) for name in expressions) + len(" 100 %,")
    for row in rows:
        table.caption = Text(on_screen(f"by the model {row.model}"))
        name = Text(on_screen(str(row.path)))  # in which no bracket is markup
        if row.probabilities is None:
            table.add_row(name, "none found")
            continue
        prediction = prediction_in_words(
            row.in_set or (row.expression,),
            row.probabilities.max(),
            num_expressions=len(expressions),
        )
        probabilities = (f"{100 * one:.0f} %" for one in row.probabilities)
        table.add_row(name, str(row.number), prediction, *probabilities)
    if not table.rows:
        return
    # In a file, rows are as long as they are.
    Console(file=target, width=None if target.isatty() else _WIDEST).print(table)


WRITERS: dict[str, Callable[[Iterable[Row], tuple[str, ...], TextIO], None]] = {
    "table": write_table,
    "csv": write_csv,
    "jsonl": write_jsonl,
}
