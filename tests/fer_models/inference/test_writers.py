import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from fer_models.detection.face_detector import Face
from fer_models.inference.calibrated_model import CalibratedPredictions, prediction_in_words
from fer_models.inference.image_predictions import Row
from fer_models.inference.writers import write_csv, write_jsonl, write_table

EXPRESSIONS = ("angry", "happy", "sad", "surprise")
PROBABILITIES = np.array([[0.1, 0.25, 0.05, 0.6]], np.float32)
SETS = np.array([[True, True, False, True]])
RANKED = ("surprise", "happy", "angry")


def row_of(path: str, in_set: tuple[str, ...] = RANKED) -> Row:
    face = Face((1, 2, 30, 40), None, np.zeros((48, 48), np.uint8), 0.9)
    return Row(Path(path), 1, face, PROBABILITIES[0], EXPRESSIONS, "compact", in_set)


def test_a_set_is_ranked_by_probability() -> None:
    assert CalibratedPredictions(PROBABILITIES, SETS).ranked_set(0, EXPRESSIONS) == RANKED
    assert CalibratedPredictions(PROBABILITIES, None).ranked_set(0, EXPRESSIONS) == ()


@pytest.mark.parametrize(
    ("ranked", "words"),
    [
        (("happy",), "happy 62 %"),
        (("happy", "surprise"), "happy 62 %, or surprise"),
        (("happy", "surprise", "angry"), "happy 62 %, or surprise, angry"),
        (("happy", "surprise", "angry", "sad"), "happy 62 %, or any other"),
    ],
)
def test_a_prediction_in_words(ranked: tuple[str, ...], words: str) -> None:
    assert prediction_in_words(ranked, 0.6249, num_expressions=4) == words


def test_every_format_names_the_most_probable_expression_first() -> None:
    written = {}
    for write in (write_csv, write_jsonl, write_table):
        write([row_of("a.png")], EXPRESSIONS, target := io.StringIO())
        written[write] = target.getvalue()
    (row,) = csv.DictReader(io.StringIO(written[write_csv]))
    assert (row["expression"], row["set"]) == ("surprise", "surprise|happy|angry")
    assert json.loads(written[write_jsonl])["set"] == list(RANKED)
    assert row["model"] == json.loads(written[write_jsonl])["model"] == "compact"
    assert "by the model compact" in written[write_table]
    assert " surprise 60 %, or happy, angry " in written[write_table]


def test_a_table_without_sets_names_the_most_probable_expression() -> None:
    write_table([row_of("a.png", ())], EXPRESSIONS, target := io.StringIO())
    assert " surprise 60 % " in target.getvalue()


def test_a_path_is_one_cell_also_where_cells_are_parted_by_semicolons() -> None:
    write_csv([row_of("a;=cmd.png")], EXPRESSIONS, target := io.StringIO())
    (row,) = list(csv.DictReader(io.StringIO(target.getvalue())))
    assert row["path"] == "a;=cmd.png"
    assert target.getvalue().splitlines()[1].startswith('"a;=cmd.png","1",')


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d"])
def test_no_path_is_a_formula_in_a_spreadsheet(start: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"{start}cmd.png"
    Path(name).touch()
    faceless = Row(Path(name), 0, None, None, EXPRESSIONS, "compact")
    write_csv([row_of(name), faceless, row_of("a/=b.png")], EXPRESSIONS, target := io.StringIO())
    *ours, other = csv.DictReader(io.StringIO(target.getvalue(), newline=""))
    for row in ours:
        assert row["path"] == f"./{name}"
        assert Path(row["path"]).samefile(name)  # programs open it as it is
    assert other["path"] == "a/=b.png"
    write_jsonl([row_of(name)], EXPRESSIONS, target := io.StringIO())
    assert json.loads(target.getvalue())["path"] == name
