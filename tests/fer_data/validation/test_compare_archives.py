import numpy as np
import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.tables import write_table
from fer_data.validation.compare_archives import Comparison, compare, read_manifest
from tests.support.data.manifests import manifest_of, noise_faces, plain_manifest


@pytest.fixture(scope="module")
def old() -> pd.DataFrame:
    manifest, _ = plain_manifest()
    return manifest


def changes(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, int]:
    return {name: count for name, count in compare(old, new).faces.items() if count}


def test_an_archive_is_like_itself(old: pd.DataFrame) -> None:
    result = compare(old, old.sample(frac=1, random_state=0))
    assert set(result.faces.values()) == {0}
    assert (result.counts["old"] == result.counts["new"]).all()
    assert [one.distance for one in result.drifts] == [0] * 4
    assert [one.difference for one in result.drifts] == pytest.approx([0] * 4)
    assert result.problems(max_drift=0.01) == ""


def test_faces_that_came_went_and_changed_are_counted_by_their_pixels(old: pd.DataFrame) -> None:
    added = manifest_of(noise_faces(2, seed=9), ["training"] * 2, ["sad"] * 2)
    assert changes(old, pd.concat([old, added])) == {"added": 2}
    assert changes(old, old.iloc[3:]) == {"removed": 3}
    relabeled = old.assign(label=old["label"].mask(old.index < 4, "sad"))
    assert changes(old, relabeled) == {"relabeled": 4}
    moved = old.assign(original_split=old["original_split"].mask(old.index < 5, "testing"))
    assert changes(old, moved) == {"moved between folders": 5}
    renamed = old.assign(path="other/" + old["path"])
    assert changes(old, renamed) == {}


def test_a_copy_is_a_duplicate_and_no_new_face(old: pd.DataFrame) -> None:
    copies = old.iloc[[0, 1, 2]].assign(
        original_split=["training", "training", "testing"], label=["happy", "sad", "happy"]
    )
    result = compare(old, pd.concat([old, copies]))
    assert result.faces["added"] == 0
    assert dict(result.groups["old"]) == {
        "files": 150,
        "different faces": 150,
        "groups of duplicates": 0,
        "with conflicting labels": 0,
        "in Training and Testing": 0,
    }
    assert list(result.groups["new"]) == [153, 150, 3, 1, 1]


def test_counts_name_every_class_of_either_archive_training_first(old: pd.DataFrame) -> None:
    new = old.assign(label=old["label"].replace("sad", "fear"))
    counts = compare(old, new).counts
    assert list(counts.index[:4]) == [
        f"training/{name}" for name in ("fear", "happy", "neutral", "sad")
    ]
    assert list(counts.loc["training/fear"]) == [0, 40]
    assert list(counts.loc["testing/sad"]) == [10, 0]


def drifted(old: pd.DataFrame) -> Comparison:
    return compare(old, old.assign(std=old["std"] + 9 * (old["original_split"] == "testing")))


def test_drift_is_measured_in_standard_deviations_and_by_the_distributions(old) -> None:
    by_key = {(one.original_split, one.metric): one for one in drifted(old).drifts}
    assert len(by_key) == 4
    testing = old.loc[old["original_split"] == "testing", "std"].to_numpy()
    found = by_key["testing", "contrast"]
    assert found.difference == pytest.approx(9 / np.std(testing, ddof=1))
    assert found.distance == 1
    assert by_key["training", "contrast"].distance == 0


def test_the_comparison_names_what_drifted_and_what_is_gone(old: pd.DataFrame) -> None:
    problems = drifted(old).problems(max_drift=0.5)
    assert problems.startswith("contrast of testing drifted by +")
    assert drifted(old).problems(max_drift=50) == ""
    gone = old[(old["label"] != "sad") | (old["original_split"] == "training")]
    assert compare(old, gone).problems(max_drift=9) == "testing/sad has no face any more"
    assert compare(gone, old).problems(max_drift=9) == ""


def test_a_folder_that_is_gone_has_no_drift(old: pd.DataFrame) -> None:
    result = compare(old, old[old["original_split"] == "training"])
    assert {one.original_split for one in result.drifts} == {"training"}
    assert "testing/happy has no face any more" in result.problems(max_drift=9)


def test_what_is_no_manifest_is_one_line(old: pd.DataFrame, tmp_path) -> None:
    (tmp_path / "text.parquet").write_text("path,label")
    write_table(old[["path", "label"]], tmp_path / "other.parquet")
    write_table(old.head(0), tmp_path / "empty.parquet")
    for name, message in {
        "no.parquet": "is missing",
        "text.parquet": "is no whole Parquet file",
        "other.parquet": "is no manifest: it lacks the columns original_split, pixel_hash",
        "empty.parquet": "holds no face",
    }.items():
        with pytest.raises(UserError, match=message) as raised:
            read_manifest(tmp_path / name)
        assert "\n" not in str(raised.value)


def test_a_manifest_with_an_earlier_column_name_is_read(old: pd.DataFrame, tmp_path) -> None:
    write_table(old.rename(columns={"original_split": "source"}), tmp_path / "manifest.parquet")
    pd.testing.assert_frame_equal(read_manifest(tmp_path / "manifest.parquet"), old)
