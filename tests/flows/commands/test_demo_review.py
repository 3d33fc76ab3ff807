"""The annotator of the demo, who decides by the key of planted errors."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from fer_data.core.schema import DECISION_COLUMNS
from fer_models.reporting.seed_spread import Difference
from flows.commands.demo_review import NUM_DECISIONS, decide, in_words

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A queue of 100 faces called sad, the first of which stands there twice."""
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    numbers = [0, *range(100)]
    queue = pd.DataFrame(
        {
            "path": [f"{place}.jpg" for place in range(101)],
            "pixel_hash": [f"{number:064x}" for number in numbers],
            "label": "sad",
        }
    )
    (tmp_path / "data" / "review_queue").mkdir(parents=True)
    queue.to_csv(tmp_path / "data" / "review_queue" / "suspects.csv", index=False)
    (tmp_path / "data" / "relabels.csv").write_text(f"{','.join(DECISION_COLUMNS)}\n")
    return tmp_path


def test_the_first_faces_are_decided_by_the_key(workspace: Path) -> None:
    planted = pd.DataFrame(
        {"path": ["0.jpg", "2.jpg", "100.jpg"], "true_label": ["happy", "", "fear"]}
    )
    assert decide(workspace, planted) == 2
    rows = pd.read_csv(workspace / "data" / "relabels.csv")
    assert len(rows) == NUM_DECISIONS == rows["pixel_hash"].nunique()
    assert rows["decision"].tolist() == ["happy", "drop", *["keep"] * (NUM_DECISIONS - 2)]
    assert set(rows["given_label"]) == {"sad"}
    assert pd.to_datetime(rows["decided_at"]).max() <= pd.Timestamp.now(tz="UTC")


@pytest.mark.parametrize(
    ("low", "words"),
    [(-0.01, "no change that the choice of faces does not explain"), (0.01, "more than")],
)
def test_a_change_is_told_with_its_interval_also_when_it_is_none(low: float, words: str) -> None:
    said = in_words(Difference(value=0.02, low=low, high=0.05, p=0.5, covers_seeds=False))
    assert said.startswith(f"Change: +2.0 points ({100 * low:+.1f} to +5.0, paired): ")
    assert words in said
