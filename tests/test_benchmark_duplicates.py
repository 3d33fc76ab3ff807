"""The benchmark of duplicates counts what is found, what is missed, and what is put together wrongly."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.duplicates import alike, groups_from, normalized, quality

NAMES = ["a", "b", "c", "d", "a_mirrored", "b_brighter"]


def faces() -> np.ndarray:
    """Four faces of noise, the first one mirrored, and the second one brighter."""
    drawn = np.random.default_rng(0).integers(20, 200, (4, 48, 48)).astype(np.uint8)
    return np.concatenate([drawn, drawn[:1, :, ::-1], drawn[1:2] + 40])


def found_by(groups: dict[str, int]) -> dict[str, str]:
    planted = pd.DataFrame(
        {
            "path": ["a_mirrored", "b_brighter"],
            "sort": ["mirrored", "brighter"],
            "original": ["a", "b"],
        }
    )
    of_name = dict(zip(NAMES, normalized(faces()), strict=True))
    return quality(groups, planted, [("a", "a_mirrored"), ("b", "b_brighter")], of_name)


def test_all_pairs_are_compared_mirrored_ones_too() -> None:
    assert alike(normalized(faces())) == {(0, 4), (1, 5)}


def test_faces_of_one_gray_are_like_none() -> None:
    assert alike(normalized(np.full((3, 48, 48), 7, np.uint8))) == set()


def test_what_is_together_is_found_and_what_is_unlike_is_counted() -> None:
    found = found_by({"a": 0, "a_mirrored": 0, "b": 1, "b_brighter": 2, "c": 3, "d": 3})
    assert found == {
        "planted: mirrored": "1 of 1",
        "planted: brighter": "0 of 1",
        "real pairs": "0.5000 of 2",
        "faces put with none that is alike": "2",
    }


def test_pairs_of_pairs_are_one_group(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("a,b\nc,d\nb,c\nx,y\n")
    groups = groups_from(file)
    assert len({groups[name] for name in "abcd"}) == 1
    assert groups["x"] == groups["y"] != groups["a"]
