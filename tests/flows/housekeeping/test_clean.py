"""What a flow run cleans at its end, where the settings say so."""

import logging
from pathlib import Path

import pytest
import yaml

from fer_data.core.errors import UserError
from flows.housekeeping import clean
from flows.housekeeping.clean import clean_after_flow
from flows.housekeeping.leftovers import Leftovers

logger = logging.getLogger("flow")


def settings(folder: Path, *, wanted: bool) -> None:
    retention = {"keep_days": 10, "clean_after_flow": wanted, "min_free_gb": 0}
    (folder / "params.yaml").write_text(yaml.safe_dump({"retention": retention}))


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is removed of three kinds, of which one cannot be and one has nothing."""
    caplog.set_level(logging.INFO)
    gone: list[str] = []

    def refuse() -> None:
        raise UserError("DVC runs")

    found = [
        Leftovers("outputs", "", 2, 3_000_000, "", refuse),
        Leftovers("clones", "", 0, 0, "", lambda: gone.append("clones")),
        Leftovers("runs", "", 1, 2_000, "", lambda: gone.append("runs")),
    ]
    monkeypatch.setattr(clean, "find_leftovers", lambda *_, **__: found)
    return gone


def test_a_flow_cleans_where_the_setting_says_so(tmp_path: Path, removed, caplog) -> None:
    settings(tmp_path, wanted=True)
    clean_after_flow(tmp_path, logger=logger)
    assert removed == ["runs"]
    assert caplog.messages == ["not removed: outputs: DVC runs", "cleaned: 1 runs (2.0 kB)"]


@pytest.mark.parametrize("text", ["flows: {}", None])
def test_a_flow_cleans_nothing_unless_the_setting_says_so(
    tmp_path: Path, removed, caplog, text: str | None
) -> None:
    settings(tmp_path, wanted=False)
    if text is not None:
        (tmp_path / "params.yaml").write_text(text)
    clean_after_flow(tmp_path, logger=logger)
    assert removed == []
    assert caplog.messages == []


def test_a_flow_says_what_it_could_not_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings(tmp_path, wanted=True)
    unseen = clean.unknown("cached outputs", UserError("DVC failed"))
    monkeypatch.setattr(clean, "find_leftovers", lambda *_, **__: [unseen])
    clean_after_flow(tmp_path, logger=logger)
    assert caplog.messages == ["not looked at: cached outputs: DVC failed"]
