"""What is said of the processors: on Linux, and where its ways of asking are missing."""

import os
import subprocess
from pathlib import Path

import pytest

from fer_models.core import processors

INTEL = "processor\t: 0\nmodel name\t: Intel A\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nmodel name\t: B\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16\nCPU part\t: 0xd4f\n"


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Linux's list of processors, which is not there yet."""
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(processors, "_LINUX", file)
    return file


@pytest.fixture
def no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, where a process cannot ask for its processors."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)


def test_linux_lists_name_and_features(listed: Path) -> None:
    listed.write_text(INTEL)
    assert processors.name() == "Intel A"
    assert processors.features() == {"fpu", "avx2"}


def test_arm_lists_features_but_no_name(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed.write_text(ARM)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert processors.name() == "aarch64"
    assert processors.features() == {"fp", "asimd", "bf16"}


@pytest.mark.usefixtures("listed")
def test_macos_is_asked_by_sysctl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sysctl = tmp_path / "sysctl"
    sysctl.write_text('#!/bin/sh\n[ "$2" = machdep.cpu.brand_string ] && echo "Apple M2"\n')
    sysctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert processors.name() == "Apple M2"
    assert processors.features() == frozenset()


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("error", [FileNotFoundError(), subprocess.CalledProcessError(1, "sysctl")])
def test_a_system_that_says_nothing_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("subprocess.run", fail)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "")
    assert processors.name() == "unknown"


@pytest.mark.usefixtures("no_affinity")
def test_all_processors_are_usable_where_none_can_be_reserved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert processors.num_usable() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors.num_usable() == 1
