"""Under what a training runs, and what of it differs from what a checkpoint says."""

from pathlib import Path

import pytest

from fer_data.stages.settings import SettingsError, read_settings
from fer_models.core import processors
from fer_models.training.conditions import conditions, differences
from fer_models.training.resume_settings import ResumeSettings


def test_threads_precision_devices_and_onednn_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    told = conditions("mixed_bfloat16", num_devices=1)
    assert told["intra-op threads"] == "3"
    assert int(told["inter-op threads"]) > 0
    assert told["precision"] == "mixed_bfloat16"
    assert told["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert {"devices", "processor", "processor features", "TensorFlow", "Keras"} <= set(told)
    assert conditions("mixed_bfloat16", num_devices=2)["devices"] != told["devices"]


def test_processors_differ_by_name_and_by_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(processors, "_LINUX", file)
    found = []
    for name, flags in (("A", "fpu avx2"), ("A", "avx2 fpu"), ("A", "fpu"), ("B", "fpu avx2")):
        file.write_text(f"model name\t: {name}\nflags\t\t: {flags}\n\n" * 2)
        told = conditions("float32", num_devices=1)
        found.append((told["processor"], told["processor features"]))
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_differences_are_named_and_a_checkpoint_without_a_record_is_unknown() -> None:
    before = {"intra-op threads": "1", "precision": "float32"}
    assert differences(before, dict(before)) == ""
    now = {**before, "intra-op threads": "2", "devices": "CPU"}
    assert differences(before, now) == (
        "intra-op threads 1 before, 2 now; devices unknown before, CPU now"
    )
    assert differences(None, now) == "the checkpoint does not say under which it was written"


def test_a_misspelt_wish_is_named(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("checkpoints: {resume: exactly}")
    with pytest.raises(SettingsError, match=r"'checkpoints\.resume': got 'exactly'"):
        read_settings(ResumeSettings, "checkpoints", file=file)
