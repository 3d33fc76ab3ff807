"""Writes down what images express: for spreadsheets (CSV), for programs (JSON lines) or for people."""

import csv
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_data.stages.stage import json_text
from fer_models.inference.image_predictions import Row
from fer_models.inference.input_paths import in_words, on_screen

COLUMNS = ("path", "face", "left", "top", "width", "height", "confidence", "expression", "set")
"""Of a CSV, before a column for each expression's probability."""

_WIDEST = 1000


def write_csv(rows: Iterable[Row], expressions: tuple[str, ...], target: TextIO) -> None:
    """A header, and a line a row; `set` parts its expressions by `|`."""
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([*COLUMNS, *expressions])
    for row in rows:
        if row.face is None or row.probabilities is None:
            writer.writerow(
                [in_words(row.path), row.number, *[""] * (len(COLUMNS) - 2 + len(expressions))]
            )
            continue
        confidence = f"{row.face.confidence:.4f}"
        said = [row.expression, "|".join(row.in_set)]
        probabilities = (f"{one:.4f}" for one in row.probabilities)
        face = [row.number, *row.face.box, confidence]
        writer.writerow([in_words(row.path), *face, *said, *probabilities])


def write_jsonl(rows: Iterable[Row], expressions: tuple[str, ...], target: TextIO) -> None:
    """An object a row; `face` is 0, and the rest is null, where an image shows no face."""
    for row in rows:
        line: dict[str, Any] = dict.fromkeys((*COLUMNS, "probabilities"))
        line.update(path=in_words(row.path), face=row.number)
        if row.face is not None and row.probabilities is not None:
            line.update(zip(("left", "top", "width", "height"), row.face.box, strict=True))
            line.update(
                confidence=round(row.face.confidence, 4), expression=row.expression, set=row.in_set
            )
            values = (round(float(one), 4) for one in row.probabilities)
            line["probabilities"] = dict(zip(expressions, values, strict=True))
        target.write(json_text(line, of=f"the row of {in_words(row.path)}", indent=None))


def write_table(rows: Iterable[Row], expressions: tuple[str, ...], target: TextIO) -> None:
    """A table, drawn when all rows are there; without any, nothing."""
    table = Table("image", "face", "expression", *expressions)
    table.columns[0].overflow = "fold"
    for row in rows:
        name = Text(on_screen(str(row.path)))  # in which no bracket is markup
        if row.probabilities is None:
            table.add_row(name, "none found")
            continue
        said = " or ".join(row.in_set) or row.expression
        probabilities = (f"{100 * one:.0f} %" for one in row.probabilities)
        table.add_row(name, str(row.number), said, *probabilities)
    if not table.rows:
        return
    # In a file, rows are as long as they are.
    Console(file=target, width=None if target.isatty() else _WIDEST).print(table)


WRITERS: dict[str, Callable[[Iterable[Row], tuple[str, ...], TextIO], None]] = {
    "table": write_table,
    "csv": write_csv,
    "jsonl": write_jsonl,
}
