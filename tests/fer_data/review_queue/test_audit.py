from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.errors import UserError
from fer_data.review_queue.audit import AUDIT_COLUMNS, draw_audit, mix_in, read_audit
from fer_data.review_queue.review_queue import review_queue
from tests.support.data.simulated_scores import CLASSES, simulated_scores

RANKED = simulated_scores(600, seed=0)
NOBODY = pd.DataFrame({"pixel_hash": []}, dtype=str)


def drawn(
    ranked: pd.DataFrame = RANKED,
    decided: pd.Series = NOBODY["pixel_hash"],
    *,
    number: int = 60,
    seed: int = 0,
) -> pd.DataFrame:
    return draw_audit(ranked, decided, num_faces=number, seed=seed)


def queue(ranked: pd.DataFrame = RANKED, *, budget: int = 100) -> pd.DataFrame:
    return review_queue(ranked, NOBODY, budget=budget, balance="none")


def test_each_class_gives_as_many_and_each_face_stands_for_its_part_of_the_class() -> None:
    audit = drawn()
    assert audit["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 10)
    sizes = RANKED["label"].value_counts()
    assert list(audit["class_faces"]) == list(audit["label"].map(sizes))
    assert audit["weight"].sum() == pytest.approx(len(RANKED), abs=1e-3)
    assert tuple(audit.columns) == AUDIT_COLUMNS


def test_a_rare_class_gives_all_that_it_has() -> None:
    rare = RANKED[(RANKED["label"] != "sad") | (RANKED.groupby("label").cumcount() < 3)]
    counts = drawn(rare, number=63)["label"].value_counts()
    assert counts.pop("sad") == 3
    assert set(counts) == {12}


def test_the_sample_stays_as_faces_are_decided_ranked_again_and_as_it_grows() -> None:
    audit = drawn()
    decided = audit["pixel_hash"].head(20)
    again = drawn(RANKED.sample(frac=1, random_state=1), decided)
    assert list(again["path"]) == list(audit["path"])
    assert list(again["waits"]) == [False] * 20 + [True] * 40
    assert list(drawn(number=30)["path"]) == list(audit["path"].head(30))
    assert set(drawn(seed=1)["path"]) != set(audit["path"])


def test_each_beginning_is_stratified() -> None:
    labels = drawn()["label"]
    assert all(labels.iloc[6 * turn : 6 * turn + 6].nunique() == 6 for turn in range(10))


def test_near_duplicates_are_drawn_once_and_excluded_faces_never() -> None:
    pairs = RANKED.assign(near_group=RANKED.index // 2)
    audit = drawn(pairs, number=1000)
    groups = audit["path"].map(pairs.set_index("path")["near_group"])
    assert len(audit) == 300
    assert groups.is_unique
    splits = RANKED["split"].where(RANKED.index % 2 == 0, "excluded")
    left = drawn(RANKED.assign(split=splits), number=1000)
    assert set(left["path"]) == set(RANKED["path"].iloc[::2])


def test_a_sample_of_none_is_none_and_mixes_nothing_in() -> None:
    audit = drawn(number=0)
    assert len(audit) == 0
    assert list(mix_in(queue(), audit)["path"]) == list(queue()["path"])


def test_every_fifth_place_or_so_is_of_the_audit() -> None:
    audit = drawn()
    mixed = mix_in(queue(), audit)
    at = mixed.index[~mixed["path"].isin(queue()["path"])]
    assert len(mixed) == len(set(mixed["pixel_hash"]))
    assert set(queue()["path"]) <= set(mixed["path"])
    assert 18 <= len(at) <= 25
    assert len({place % 5 for place in at}) > 2  # no pattern to count along
    order = [path for path in mixed["path"] if path in set(audit["path"])]
    of_sample = [path for path in audit["path"] if path in set(mixed["path"])]
    early = [path for path in of_sample if path not in set(queue()["path"])]
    assert [path for path in order if path in set(early)] == early  # so a beginning gets decided


def test_nothing_tells_a_face_of_the_audit_from_its_neighbors_in_the_queue() -> None:
    odd = RANKED.assign(issue_type=["wrong" if row < 100 else "ambiguous" for row in RANKED.index])
    mixed = mix_in(queue(odd), drawn(odd))
    assert list(mixed["rank"]) == list(range(1, len(mixed) + 1))
    assert set(mixed["issue_type"]) == {"wrong"}
    assert mixed["label_quality"].max() <= queue(odd)["label_quality"].max()
    assert list(mixed.columns) == list(queue().columns)
    own = mixed.merge(RANKED[["path", "label", "suggested_label"]], on="path")
    assert list(own["label_x"]) == list(own["label_y"])
    assert list(own["suggested_label_x"]) == list(own["suggested_label_y"])


def test_decided_faces_of_the_audit_are_not_asked_again() -> None:
    audit = drawn(decided=drawn()["pixel_hash"].head(30))
    mixed = mix_in(queue(), audit)
    others = set(mixed["path"]) - set(queue()["path"])
    assert others
    assert not others & set(audit["path"].head(30))


def test_the_file_is_read_as_it_was_drawn(tmp_path: Path) -> None:
    audit = drawn(decided=drawn()["pixel_hash"].head(3))
    audit.to_csv(tmp_path / "audit.csv", index=False)
    pd.testing.assert_frame_equal(read_audit(tmp_path / "audit.csv"), audit, check_dtype=False)
    (tmp_path / "audit.csv").write_text("path\na\n")
    with pytest.raises(UserError, match=r"audit\.csv lacks some of path, .*`dvc repro"):
        read_audit(tmp_path / "audit.csv")
