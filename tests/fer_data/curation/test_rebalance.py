import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.core.schema import DECISION_COLUMNS
from fer_data.core.tables import read_table, write_table
from fer_data.curation import rebalance
from fer_data.curation.rebalance import Method, curate

NO_DECISIONS = pd.DataFrame({"pixel_hash": [], "given_label": [], "decision": []}, dtype=object)


def examples() -> pd.DataFrame:
    labels = ["happy"] * 6 + ["sad"] * 2 + ["happy", "sad"] * 2
    splits = ["train"] * 8 + ["validation"] * 2 + ["test", "excluded"]
    return pd.DataFrame(
        {
            "path": [f"{number:02d}.jpg" for number in range(12)],
            "pixel_hash": [f"hash{number}" for number in range(12)],
            "label": labels,
            "split": splits,
            "label_quality": [0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.4, 0.9, 0.1, 0.9, None, 0.1],
        }
    )


def decide(**decisions: str) -> pd.DataFrame:
    given = examples().set_index("pixel_hash").loc[list(decisions), "label"]
    columns = {"pixel_hash": list(decisions), "decision": list(decisions.values())}
    return pd.DataFrame({**columns, "given_label": list(given)})


def run(
    decisions: pd.DataFrame = NO_DECISIONS, *, method: Method = "none", quality: float = 0.0
) -> tuple[pd.DataFrame, dict]:
    return curate(examples(), decisions, method=method, min_label_quality=quality, seed=0)


def uses(curated: pd.DataFrame) -> dict[str, int]:
    train = curated[curated["split"] == "train"]
    return train.groupby("label")["sample_count"].sum().to_dict()


def test_none_takes_every_face_of_a_role_once() -> None:
    curated, summary = run()
    assert list(curated["path"]) == [f"{number:02d}.jpg" for number in range(11)]
    assert (curated["sample_weight"] == 1).all()
    assert (curated["sample_count"] == 1).all()
    assert summary["train_before"] == summary["train_after"] == {"happy": 6, "sad": 2}


def test_class_weights_give_each_class_the_same_sum_and_a_mean_of_one() -> None:
    curated, _ = run(method="class_weight")
    train = curated[curated["split"] == "train"]
    assert train.groupby("label")["sample_weight"].sum().to_dict() == pytest.approx(
        {"happy": 4, "sad": 4}
    )
    assert train["sample_weight"].mean() == pytest.approx(1)
    assert (curated.loc[curated["split"] != "train", "sample_weight"] == 1).all()


def test_oversampling_repeats_the_smaller_class() -> None:
    curated, summary = run(method="oversample")
    assert uses(curated) == summary["train_after"] == {"happy": 6, "sad": 6}
    assert curated.loc[curated["label"] == "sad", "sample_count"].max() == 3


def test_undersampling_leaves_faces_of_the_larger_class_out() -> None:
    curated, summary = run(method="undersample")
    assert uses(curated) == summary["train_after"] == {"happy": 2, "sad": 2}
    assert set(curated["sample_count"]) == {0, 1}


@pytest.mark.parametrize("method", ["oversample", "undersample", "class_weight"])
def test_only_train_is_rebalanced(method: Method) -> None:
    curated, _ = run(method=method)
    others = curated[curated["split"] != "train"]
    assert len(others) == 3
    assert (others["sample_count"] == 1).all()
    assert (others["sample_weight"] == 1).all()


def test_decisions_relabel_keep_and_drop() -> None:
    curated, summary = run(
        decide(hash0="sad", hash1="drop", hash2="keep", hash8="sad", hash9="happy")
    )
    labels = curated.set_index("path")["label"]
    assert labels["00.jpg"] == "sad"
    assert "01.jpg" not in labels
    assert labels["02.jpg"] == "happy"
    assert labels["08.jpg"] == "sad"  # validation is corrected too
    assert summary["relabeled"] == 3
    assert summary["dropped"] == 1


def test_labels_of_test_are_never_changed() -> None:
    curated, _ = run(decide(hash10="sad"))
    assert curated.set_index("path").loc["10.jpg", "label"] == "happy"
    dropped, _ = run(decide(hash10="drop"))
    assert "10.jpg" in set(dropped["path"])


def test_faces_of_low_label_quality_are_left_out_unless_decided() -> None:
    curated, summary = run(quality=0.5)
    assert set(examples()["path"]) - set(curated["path"]) == {"00.jpg", "06.jpg", "11.jpg"}
    assert summary["left_out_for_label_quality"] == 2
    decided, _ = run(decide(hash0="keep"), quality=0.5)
    assert "00.jpg" in set(decided["path"])


def test_a_class_that_vanishes_is_named() -> None:
    with pytest.raises(UserError, match="no 'train' face of 'sad' is left"):
        run(decide(hash6="drop", hash7="happy"))


@pytest.mark.parametrize("decisions", [{"hash8": "drop"}, {"hash8": "sad"}])
def test_a_class_that_vanishes_from_validation_is_named(decisions: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"no 'validation' face of 'happy' is left.*: revise data"):
        run(decide(**decisions))


def test_a_class_that_validation_never_had_is_not_missed() -> None:
    faces = examples().query("pixel_hash != 'hash8'")
    assert len(curate(faces, NO_DECISIONS, method="none", min_label_quality=0, seed=0)[0]) == 10


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the stage with these lines in the file of decisions; gives its summary."""
    faces = examples().assign(pixel_hash=[f"{number:064x}" for number in range(12)])
    write_table(faces[["path", "label"]], tmp_path / "manifest.parquet")
    write_table(faces[["path", "pixel_hash", "split"]], tmp_path / "assignments.parquet")
    write_table(faces[["path", "label_quality"]], tmp_path / "label_quality.parquet")
    (tmp_path / "params.yaml").write_text(
        "data: {expressions: [happy, sad], retired_expressions: [fear]}\n"
        "rebalance: {method: none, min_label_quality: 0.0, seed: 0}\n"
    )
    monkeypatch.chdir(tmp_path)
    flags = (
        "--manifest manifest.parquet --assignments assignments.parquet --label-quality "
        "label_quality.parquet --decisions relabels.csv --votes votes.csv --examples out.parquet "
        "--summary out.json"
    )
    (tmp_path / "votes.csv").write_text("pixel_hash\n")
    monkeypatch.setattr(sys, "argv", ["rebalance", *flags.split()])

    def run(*lines: str) -> dict:
        text = "".join(f"{line}\n" for line in (",".join(DECISION_COLUMNS), *lines))
        (tmp_path / "relabels.csv").write_text(text)
        rebalance.main()
        return json.loads((tmp_path / "out.json").read_text())

    return run


def test_a_decision_on_a_face_that_is_gone_does_no_harm(stage, caplog) -> None:
    known, gone = (
        f"{number},happy,sad,ann,2026-01-31T10:00:00Z," for number in (f"{0:064x}", "f" * 64)
    )
    summary = stage(known, gone)
    assert summary["relabeled"] == 1
    assert "1 of 2 decisions are on faces that the archive does not hold" in caplog.text


def test_what_names_a_retired_expression_is_counted_and_not_applied(stage, tmp_path) -> None:
    summary = stage(
        *(
            f"{number:064x},happy,{decision},ann,2026-01-31T10:00:00Z,"
            for number, decision in enumerate(["sad", "fear"])
        )
    )
    assert (summary["relabeled"], summary["not_applied_as_retired"]) == (1, {"fear": 1})
    assert list(read_table(tmp_path / "out.parquet")["label"])[:2] == ["sad", "happy"]


def test_a_broken_file_of_decisions_is_one_line_and_changes_nothing(stage, tmp_path: Path) -> None:
    stage()
    before = (tmp_path / "out.parquet").read_bytes()
    with pytest.raises(UserError, match=r"^relabels\.csv, line 2: got 1 fields, expected 6$"):
        stage("half a li")
    assert (tmp_path / "out.parquet").read_bytes() == before


def soft_stage(tmp_path: Path, votes: str) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("seed: 0", "seed: 0, soft_labels: true"))
    (tmp_path / "votes.csv").write_text(votes)


def test_soft_labels_come_from_votes_and_leave_weights_alone(stage, tmp_path: Path) -> None:
    stage()
    hard = read_table(tmp_path / "out.parquet")
    soft_stage(tmp_path, f"pixel_hash,happy,sad\n{0:064x},1,3\n{9:064x},1,3\n")
    assert stage()["soft_labels"] == 1  # the other is of `validation`
    soft = read_table(tmp_path / "out.parquet")
    assert [list(row) for row in soft["label_shares"][:2]] == [[0.25, 0.75], [1, 0]]
    pd.testing.assert_frame_equal(soft.drop(columns="label_shares"), hard)


def test_soft_labels_without_votes_are_refused(stage, tmp_path: Path) -> None:
    soft_stage(tmp_path, f"pixel_hash,fear\n{0:064x},3\n")
    with pytest.raises(UserError, match=r"^`rebalance\.soft_labels` is set, and votes\.csv has no"):
        stage()
