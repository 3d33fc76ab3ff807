from pathlib import Path

import pytest

from fer_data.core.errors import UserError
from fer_data.validation.baseline import baseline_of, baseline_text, read_baseline
from tests.support.data.manifests import plain_manifest


def test_a_baseline_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    manifest, _ = plain_manifest()
    baseline = baseline_of(manifest, by="Zo\u00eb", at="2026-01-31T10:00:00Z")
    assert baseline.faces == 150
    assert baseline.counts["training/happy"] == 40
    assert baseline.counts["testing/sad"] == 10
    training = manifest[manifest["original_split"] == "training"]
    spread = baseline.spread("training", "mean")
    assert spread is not None
    assert spread.mean == pytest.approx(training["mean"].mean())
    assert spread.std == pytest.approx(training["mean"].std(ddof=0))
    (tmp_path / "profile.json").write_text(baseline_text(baseline), encoding="utf-8")
    assert read_baseline(tmp_path / "profile.json") == baseline


def test_null_is_none(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text("null\n")
    assert read_baseline(tmp_path / "profile.json") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"profile\.json is no baseline of an archive: the whole: Invalid JSON"),
        (b"\xff\xfe{", "is no baseline of an archive: the whole: Invalid JSON"),
        (b"[]", "is no baseline of an archive: the whole: Input should be an object"),
        (b'{"accepted_by": "ann"}', "accepted_at: Field required: `ferflow accept-baseline`"),
        (b'{"counts": {"training/sad": "many"}}', "is no baseline of an archive: accepted_by"),
    ],
)
def test_anything_else_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "profile.json").write_bytes(content)
    with pytest.raises(UserError, match=message) as raised:
        read_baseline(tmp_path / "profile.json")
    assert "\n" not in str(raised.value)


def test_a_missing_file_names_the_way_back(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"profile\.json is missing: `git checkout"):
        read_baseline(tmp_path / "profile.json")
