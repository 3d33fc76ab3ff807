import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import DUPLICATE_GROUP
from fer_data.quality_report.thumbnails import duplicates, mean_faces, spread, thumbnails_of
from fer_data.web.html import face_uri
from tests.support.data.findings import GROUPS, LABELS, PIXELS, findings

FACES = findings().manifest.assign(**{DUPLICATE_GROUP: GROUPS})


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, []), (1, [0]), (2, [0, 90]), (4, [0, 30, 60, 90]), (99, list(range(0, 100, 10)))],
)
def test_a_sample_of_groups_is_spread_over_all(number: int, expected: list[int]) -> None:
    assert spread(np.arange(0, 100, 10), number) == expected


def test_no_groups_give_no_sample() -> None:
    assert spread(np.array([], dtype=np.int64), 5) == []


def test_mean_faces_are_those_of_their_class() -> None:
    means = mean_faces(FACES, PIXELS, expressions=("sad", "fear", "angry"))
    assert list(means) == ["sad", "angry"]
    for expression, uri in means.items():
        mean = PIXELS[np.array(LABELS) == expression].mean(axis=0)
        assert uri == face_uri(np.round(mean).astype(np.uint8))


def test_a_class_larger_than_a_part_has_the_same_mean() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9000, 48, 48), dtype=np.uint8)
    faces = pd.DataFrame({"label": ["sad"] * 9000})
    expected = face_uri(np.round(pixels.mean(axis=0)).astype(np.uint8))
    assert mean_faces(faces, pixels, expressions=("sad",)) == {"sad": expected}


@pytest.mark.parametrize(
    ("differ_in", "paths"),
    [
        ("label", ["Training/Angry/0.jpg", "Training/Happy/1.jpg"]),
        ("original_split", ["Training/Angry/0.jpg", "Testing/Angry/9.jpg"]),
    ],
)
def test_a_pair_differs_where_it_should(differ_in: str, paths: list[str]) -> None:
    faces = FACES.assign(**{DUPLICATE_GROUP: 7})
    (group,) = duplicates(faces, PIXELS, groups=[7], differ_in=differ_in)
    assert [face["path"] for face in group["faces"]] == paths
    assert group["faces"][1]["uri"] == face_uri(PIXELS[1 if differ_in == "label" else 9])
    assert sum(group["others"].values()) == len(FACES) - 2


def test_only_the_asked_groups_are_shown() -> None:
    groups = duplicates(FACES, PIXELS, groups=[0, 2], differ_in="label")
    assert [group["faces"][0]["path"] for group in groups] == [
        "Training/Angry/0.jpg",
        "Training/Happy/3.jpg",
    ]
    assert duplicates(FACES, PIXELS, groups=[], differ_in="label") == []


def test_rows_keep_their_order_and_get_their_images() -> None:
    rows = FACES.iloc[[5, 0]][["path", "label"]]
    shown = thumbnails_of(rows, FACES, PIXELS)
    assert [row["uri"] for row in shown] == [face_uri(PIXELS[5]), face_uri(PIXELS[0])]
    assert shown[0]["label"] == "sad"


def test_a_row_that_the_manifest_lacks_is_named() -> None:
    rows = pd.DataFrame({"path": ["Training/Angry/0.jpg", "Training/Sad/gone.jpg"]})
    with pytest.raises(UserError, match=r"Training/Sad/gone\.jpg, which the manifest lacks"):
        thumbnails_of(rows, FACES, PIXELS)
