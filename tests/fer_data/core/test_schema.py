import pytest

from fer_data.core.schema import expression_of_folder

SIX = ("angry", "fear", "happy", "neutral", "sad", "surprise")


@pytest.mark.parametrize(
    ("folder", "expression"),
    [
        ("Angry", "angry"),
        ("ANGER", "angry"),
        ("Suprise", "surprise"),
        ("surprise", "surprise"),
        ("Sadness", "sad"),
        ("Disgust", None),
        ("Contempt", None),
        ("", None),
    ],
)
def test_folders_are_matched_without_case_and_through_aliases(folder, expression) -> None:
    assert expression_of_folder(folder, SIX) == expression


def test_a_seventh_class_is_a_setting() -> None:
    assert expression_of_folder("Disgusted", (*SIX, "disgust")) == "disgust"


def test_a_class_may_be_called_as_its_folder_is() -> None:
    named = ("anger", "happiness", "sad")
    assert expression_of_folder("Anger", named) == "anger"
    assert expression_of_folder("angry", named) == "anger"
    assert expression_of_folder("happy", named) == "happiness"
    assert expression_of_folder("sadness", named) == "sad"
    assert expression_of_folder("fear", named) is None
