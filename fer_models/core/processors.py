"""Which processors this machine has: their name, their features, how many a process may use."""

import os
import platform
import subprocess
from pathlib import Path

_LINUX = Path("/proc/cpuinfo")
_MACOS = ("sysctl", "-n", "machdep.cpu.brand_string")


def num_usable() -> int:
    """Counts the processors that this process may use; all of them where the system limits none."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def name() -> str:
    """Reads the processor's name, such as `Apple M2`; `unknown` where the system gives none."""
    if _LINUX.exists():
        return _first("model name") or platform.machine() or "unknown"  # Arm's have no name there
    try:
        said = subprocess.run(_MACOS, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        said = ""
    return said.strip() or platform.processor() or platform.machine() or "unknown"


def features() -> frozenset[str]:
    """Reads what the processor can do, in Linux's words such as `avx2`; none on other systems."""
    if not _LINUX.exists():
        return frozenset()
    return frozenset(f"{_first('flags')} {_first('Features')}".split())  # the last is Arm's


def _first(key: str) -> str:
    """The first value of a key in Linux's list of processors; empty if it is not there."""
    for line in _LINUX.read_text(encoding="utf-8").splitlines():
        found, _, value = line.partition(":")
        if found.strip() == key:
            return value.strip()
    return ""
