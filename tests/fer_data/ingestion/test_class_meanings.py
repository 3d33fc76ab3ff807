from collections import Counter
from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_data.ingestion.class_meanings import classes_of
from tests.support.data.datasets import (
    labeled,
    pixel_table,
    split_class,
)
from tests.support.data.recognition import labels_of, of, recognized

NUMBERS = {
    "folders": split_class([str(number) for number in range(1, 8)]),
    "folders, as FER2013 counts": split_class([str(number) for number in range(7)]),
    "a table of pixels": {"faces.csv": pixel_table(range(1, 8))},
    "a list": {
        name: data.replace(b",happy,", b",3,").replace(b",sad,", b",4,")
        for name, data in labeled().items()
    },
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_never_guessed(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"has numbers for classes, .* say what they mean") as told:
        of(tmp_path, NUMBERS[name])
    assert "`--classes fer2013`: 0 angry, 1 disgust, 2 fear, 3 happy" in str(told.value)
    assert "`--classes raf-db`: 1 surprise, 2 fear, 3 disgust, 4 happy" in str(told.value)
    assert "\n" not in str(told.value)


def test_numbers_mean_what_the_person_says(tmp_path: Path) -> None:
    found = of(tmp_path, NUMBERS["folders"], classes=classes_of("RAF-DB"))
    assert labels_of(found) == {
        **{"surprise": {"1"}, "fear": {"2"}, "disgust": {"3"}, "happy": {"4"}},
        **{"sad": {"5"}, "angry": {"6"}, "neutral": {"7"}},
    }
    pairs = classes_of("1=anger, 02=Happy,3=smirk,4=d,5=e,6=f,7=g")
    found = recognized(tmp_path / "dataset", classes=pairs)
    assert labels_of(found)["angry"] == {"1"}
    assert labels_of(found)["happy"] == {"2"}
    assert labels_of(found)["smirk"] == {"3"}


@pytest.mark.parametrize(
    ("name", "counted"), [("folders", "fer2013"), ("folders, as FER2013 counts", "raf-db")]
)
def test_the_numbers_of_another_dataset_do_not_fit(tmp_path: Path, name: str, counted: str) -> None:
    with pytest.raises(UserError, match=r"has numbers for classes, '[07]' \(4\)"):
        of(tmp_path, NUMBERS[name], classes=classes_of(counted))


@pytest.mark.parametrize("labels", [range(8), range(6), range(1, 8)])
def test_fer2013_s_name_does_not_say_what_other_numbers_mean(tmp_path: Path, labels: range) -> None:
    """As CK+ counts in the same columns, 7 for contempt, or FER2013 where somebody renumbered it."""
    with pytest.raises(UserError, match=rf"numbers for classes, '{labels[0]}' \(6\), "):
        of(tmp_path, {"fer2013.csv": pixel_table(labels)})


def test_what_a_person_says_of_one_number_leaves_no_other_to_the_layout(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"numbers for classes, '1' .* '2' .* '6'"):
        of(tmp_path, {"fer2013.csv": pixel_table()}, classes=classes_of("0=happy"))


@pytest.mark.parametrize("text", ["fer", "0=angry,1", "=angry", "0=", "angry,happy", ""])
def test_classes_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected fer2013, raf-db, or NAME=CLASS, as in 0=angry"):
        classes_of(text)


# What is left out, and what stops.


def test_unknown_classes_stop_unless_they_are_skipped_or_named(tmp_path: Path) -> None:
    files = split_class(("happy", "sad", "Ahegao", "unknown"))
    with pytest.raises(UserError, match=r"not known, 'Ahegao' \(4\), 'unknown' \(4\): `--classes"):
        of(tmp_path, files)
    found = of(tmp_path, files, skip=("ahegao",), classes=classes_of("unknown=other"))
    assert found.expressions == ("happy", "other", "sad")
    assert Counter(one.reason for one in found.left_out) == {"--skip Ahegao": 4}


def test_a_class_is_skipped_by_any_of_its_names(tmp_path: Path) -> None:
    found = of(tmp_path, {"fer2013.csv": pixel_table()}, skip=("Disgusted",))
    assert "disgust" not in found.expressions
    assert len(found.faces) == 36


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"skip": ("contmpt",)}, "has no class 'contmpt', which `--skip` names: expected one of"),
        ({"skip": ("contempt",)}, "has no class 'contempt', which `--skip` names"),
        ({"classes": {"9": "happy"}}, "has no class '9', which `--classes` names"),
    ],
)
def test_a_choice_about_what_is_not_there_is_refused(tmp_path: Path, choices, message) -> None:
    with pytest.raises(UserError, match=message):
        of(tmp_path, split_class(), **choices)
