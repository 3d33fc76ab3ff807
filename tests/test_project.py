"""What must hold of the files at the top: pins, caps, nothing of one machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
BUNDLE = ROOT / "tests/fixtures/format_1/bundle.zip"
"""A network that learned drawn bands of light, in the format of version 0.1.0."""
PRETRAINED = ROOT / "fer_models/inference/pretrained/bundle.zip"
"""The weights that come with the package; its own test looks into it."""
PINS = {
    name: Version(version)
    for name, version in (
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()
    )
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_constraints_are_plain_pins_one_a_package() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert len(lines) > 200
    assert [
        line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[\w.+!]+", line)
    ] == []
    assert len(PINS) == len(lines)


def test_every_requirement_has_a_pin_that_fits() -> None:
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    own = PROJECT["name"]  # the extra `dev` holds others
    for requirement in (one for one in map(Requirement, texts) if one.name != own):
        assert requirement.specifier.contains(PINS[requirement.name]), requirement


@pytest.mark.parametrize(
    ("system", "machine", "build"),
    [
        ("linux", "x86_64", "tensorflow-cpu"),
        ("linux", "aarch64", "tensorflow"),
        ("darwin", "arm64", "tensorflow"),
    ],
)
def test_a_processor_gets_one_build_of_tensorflow(system: str, machine: str, build: str) -> None:
    markers = {"sys_platform": system, "platform_machine": machine}
    builds = map(Requirement, PROJECT["optional-dependencies"]["cpu"])
    fitting = [one.name for one in builds if one.marker is None or one.marker.evaluate(markers)]
    assert fitting == [build]


def test_prefect_s_caps_hold() -> None:
    caps = {"fastapi": Version("0.151"), "sqlalchemy": Version("2.1")}
    texts = {Requirement(text).name: text for text in PROJECT["optional-dependencies"]["flows"]}
    for name, cap in caps.items():
        assert PINS[name] < cap
        assert not Requirement(texts[name]).specifier.contains(cap)


def test_no_file_names_a_machine_s_folder_or_holds_an_image_of_data() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    tracked = [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    assert len(tracked) > 50
    suffixes = {file.suffix for file in tracked if file not in (BUNDLE, PRETRAINED)}
    assert not suffixes & {".zip", ".npy", ".parquet", ".keras", ".h5", ".jpg", ".jpeg"}
    assert BUNDLE.stat().st_size < 30_000  # too small for a network that learned more
    folder = re.compile(rb"(?<![\w.~])/(home|root|Users)/")
    guilty = [file for file in tracked if folder.search(file.read_bytes())]
    assert guilty == []
