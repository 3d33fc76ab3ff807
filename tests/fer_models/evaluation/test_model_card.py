import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fer_data.core.errors import UserError
from fer_models.evaluation.model_card import Hashes, hashes_of, model_card
from tests.support.models.model_reports import (
    COMBINATIONS,
    EXPRESSIONS,
    model_from,
    page_of,
    text_of,
    write_reports,
)

SPACE = "\N{NARROW NO-BREAK SPACE}"
HASHES = Hashes(model="a" * 64, train_records="b" * 64)


def card_of(folder: Path, *, recalls: dict[str, float] | None = None, **summary: Any) -> str:
    write_reports(folder, **summary)
    training = json.loads((folder / "train/scratch/summary.json").read_text())
    measured = json.loads((folder / "evaluate/scratch/metrics.json").read_text())
    for expression, recall in (recalls or {}).items():
        measured["test"]["per_class"][expression]["recall"] = recall
    return model_card(training, measured, HASHES)


def test_every_metric_has_its_interval_and_its_faces(tmp_path: Path) -> None:
    card = card_of(tmp_path)
    test, validation = re.split("On the 2,781 validation faces", card)[:2]
    assert "On the 7,067 Testing faces of the archive" in test
    assert f"- accuracy: 56.1{SPACE}% (55.0{SPACE}% to 57.2{SPACE}%)\n" in test
    assert f"- accuracy: 57.0{SPACE}% (55.9{SPACE}% to 58.1{SPACE}%)\n" in validation
    for part in (test, validation):
        assert "- loss, nats a face: 1.123 (1.103 to 1.143)\n" in part
        assert "- macro-F1: 0.534 (0.522 to 0.546)\n" in part
        assert "- macro-AUROC: 0.861 (0.855 to 0.867)\n" in part
        assert "- calibration error: 0.041 (0.032 to 0.050)\n" in part
    assert "temperature of 1.18, fitted on the 2,781 validation faces" in card
    assert "from 0.041 (0.032 to 0.050) to 0.012 (0.003 to 0.021)" in card
    assert f"hold the given label of 89.7{SPACE}% (89.0{SPACE}% to 90.4{SPACE}%)" in card


def test_a_training_that_went_on_elsewhere_is_called_so(tmp_path: Path) -> None:
    resumed = [{"after_epoch": 3, "differences": "intra-op threads 1 before, 2 now"}]
    words = "resumed after epoch 3 under other conditions (intra-op threads 1 before, 2 now)"
    assert f"- {words}: not repeatable to the bit\n" in card_of(
        tmp_path / "resumed", resumed=resumed
    )
    page = text_of(page_of(model_from(tmp_path / "resumed")))
    assert f"<strong>Not repeatable to the bit:</strong> the training was {words}." in page
    assert "not repeatable" not in card_of(tmp_path)


def test_the_table_has_a_row_an_expression(tmp_path: Path) -> None:
    rows = [line for line in card_of(tmp_path).splitlines() if line.startswith("| ")]
    names = [row.split("|")[1].strip() for row in rows]
    assert names == ["given label", *EXPRESSIONS]
    assert rows[1] == "| angry | 7 | 0.500 | 0.600 | 0.545 | 0.750 |"
    assert {row.count("|") for row in rows} == {7}


def test_it_says_what_it_learned_from_and_by_which_settings(tmp_path: Path) -> None:
    card = card_of(tmp_path, settings={"epochs": 12, "head": {"units": [128, 6]}})
    assert "- 24,955 faces of the split `train`\n" in card
    assert f"sha256sum`: `{'b' * 64}`" in card
    assert f"322,118 parameters in `model.keras`, SHA-256 `{'a' * 64}`" in card
    assert "12 epochs with seed 0; the weights of epoch 10 were kept" in card
    assert "- it starts from nothing\n" in card
    settings = card.split("## Settings")[1]
    assert "```yaml\nepochs: 12\nhead:\n  units:\n  - 128\n  - 6\n```\n" in settings


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({"weights": "imagenet"}, "it starts from weights that others trained: `imagenet`"),
        ({"weights": "none"}, "it starts from nothing"),
        ({"members": ["compact", "scratch"]}, "made of compact, scratch, whose own cards say"),
    ],
)
def test_it_says_where_it_starts_from(tmp_path: Path, settings: dict, start: str) -> None:
    card = card_of(tmp_path, settings=settings, combinations=COMBINATIONS)
    assert start in card
    of_others = "The terms of the weights that training started from hold besides."
    assert (of_others in card) == (start != "it starts from nothing")


def test_it_names_its_teacher(tmp_path: Path) -> None:
    words = "learned the probabilities of another model, `compact`, whose own card says"
    assert words in card_of(tmp_path / "taught", teacher="compact")
    assert "another model" not in card_of(tmp_path / "alone")


def test_it_says_which_head_was_chosen_and_what_each_reaches(tmp_path: Path) -> None:
    members = {"members": ["compact", "scratch"]}
    card = card_of(tmp_path / "best", settings=members, combinations=COMBINATIONS)
    assert "by `calibrated_mean`: of the ways to combine them, the one of the lowest loss" in card
    assert (
        f"accuracy and loss: `mean` 63.5{SPACE}%, 0.989; `calibrated_mean` 63.5{SPACE}%, 0.981; "
        f"`stacked` 63.4{SPACE}%, 0.985; `head` 61.3{SPACE}%, 1.062\n" in card
    )
    assert "validation faces, each predicted by a head that was fitted without it:" in card
    asked = {**COMBINATIONS, "chosen": "head", "chosen_by": "head"}
    card = card_of(tmp_path / "asked", settings=members, combinations=asked)
    assert "by `head`, as `ensemble.head` says\n" in card
    assert "on which the saved epoch may have been chosen" in card_of(tmp_path / "other")


def test_it_says_what_it_is_not_for_and_what_nobody_knows(tmp_path: Path) -> None:
    card = card_of(tmp_path, recalls={"fear": 0.31, "happy": 0.78})
    parts = dict(part.split("\n", 1) for part in card.split("\n## ")[1:])
    assert "Research and teaching" in parts["Intended use"]
    assert "at work or in education: the EU AI Act" in parts["Not for"]
    assert "Fairness is unmeasured: the archive has no labels of age, gender" in parts["Limits"]
    assert "The labels are noisy" in parts["Limits"]
    uneven = f"labeled happy it finds 78.0{SPACE}%, of those labeled fear 31.0{SPACE}%."
    assert uneven in parts["Limits"]
    assert "rights in them" in parts["License"]


def test_a_metric_that_is_not_defined_is_a_dash_without_an_interval(tmp_path: Path) -> None:
    write_reports(tmp_path)
    training = json.loads((tmp_path / "train/scratch/summary.json").read_text())
    measured = json.loads((tmp_path / "evaluate/scratch/metrics.json").read_text())
    measured["test"]["macro_auroc"] = dict.fromkeys(("value", "low", "high"))
    card = model_card(training, measured, HASHES)
    assert "- macro-AUROC: \N{EN DASH}\n" in card


def test_the_same_reports_give_the_same_card_whatever_time_training_took(tmp_path: Path) -> None:
    assert card_of(tmp_path / "a", seconds=3.0) == card_of(tmp_path / "b", seconds=4.0)


def test_hashes_are_of_the_bytes_of_the_model_and_of_the_train_records_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "model.keras").write_bytes(b"model")
    for name, content in (
        ("train.tfrecord-00001-of-00002", b"second"),
        ("train.tfrecord-00000-of-00002", b"first"),
        ("test.tfrecord-00000-of-00001", b"other"),
    ):
        (tmp_path / f"ferflow-{name}").write_bytes(content)
    hashes = hashes_of(tmp_path / "model.keras", tmp_path)
    assert hashes.model == hashlib.sha256(b"model").hexdigest()
    assert hashes.train_records == hashlib.sha256(b"firstsecond").hexdigest()


def test_no_train_records_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no records of the split 'train': `dvc repro tfrecords`"):
        hashes_of(tmp_path / "model.keras", tmp_path)
