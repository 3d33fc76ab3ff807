from pathlib import Path

import pytest
from ruamel.yaml import YAML

from fer_data.core.yaml_files import read_yaml


def test_an_equal_file_is_parsed_once_and_each_reader_gets_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("only_here: {models: [scratch]}\n")
    first = read_yaml(file)
    first["only_here"]["models"].append("compact")
    monkeypatch.setattr(YAML, "load", lambda *_: pytest.fail("parsed again"))
    assert read_yaml(file) == {"only_here": {"models": ["scratch"]}}


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("epochs: 1\n")
    assert read_yaml(file) == {"epochs": 1}
    file.write_text("epochs: 2\n")
    assert read_yaml(file) == {"epochs": 2}
