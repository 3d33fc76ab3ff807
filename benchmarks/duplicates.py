"""How well duplicates are found: what was planted, what is real, and what is put together wrongly."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

MIN_CORRELATION = 0.98
"""Of the 48x48 pixels of real near-duplicates."""
UNLIKE = 0.9
"""Below this correlation, two faces are no duplicates by any account."""
_BLOCK = 2_000


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The correlation of each face of one set with each of another, the greater of both mirrors."""
    mirrored = second.reshape(-1, 48, 48)[:, :, ::-1].reshape(len(second), -1)
    return np.maximum(first @ second.T, first @ mirrored.T)


def normalized(pixels: np.ndarray) -> np.ndarray:
    """Faces (N, 2304) with the mean 0 and the norm 1; those of one gray are 0."""
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def alike(faces: np.ndarray) -> set[tuple[int, int]]:
    """All pairs of rows that correlate at `MIN_CORRELATION` or more."""
    found: set[tuple[int, int]] = set()
    for start in range(0, len(faces), _BLOCK):
        close = correlations(faces[start : start + _BLOCK], faces[start:]) >= MIN_CORRELATION
        rows, columns = np.nonzero(close)
        rows, columns = rows + start, columns + start
        found |= {(a, b) for a, b in zip(rows.tolist(), columns.tolist(), strict=True) if a < b}
    return found


def groups_from(file: Path) -> dict[str, int]:
    """A peer's groups: pairs, and pairs of those, together."""
    pairs = pd.read_csv(file, names=["first", "second"])
    group: dict[str, int] = {}
    members: defaultdict[int, list[str]] = defaultdict(list)
    for number, (first, second) in enumerate(zip(pairs["first"], pairs["second"], strict=True)):
        ids = {group[name] for name in (first, second) if name in group}
        names = [name for one in ids for name in members.pop(one)] + [first, second]
        members[number] = names
        group.update(dict.fromkeys(names, number))
    return group


def quality(
    groups: dict[str, int],
    planted: pd.DataFrame,
    real: list[tuple[str, str]],
    faces: dict[str, np.ndarray],
) -> dict[str, str]:
    """What a way found: planted and real duplicates, and what it put together that is unlike."""

    def together(first: str, second: str) -> bool:
        return first in groups and groups[first] == groups.get(second)

    hits = [together(*pair) for pair in zip(planted["path"], planted["original"], strict=True)]
    by_sort = planted.assign(hit=hits).groupby("sort")["hit"].sum()
    members: defaultdict[int, list[str]] = defaultdict(list)
    for name, group in groups.items():
        members[group].append(name)
    stray = sum(
        _num_unlike(np.stack([faces[name] for name in names])) for names in members.values()
    )
    return {
        **{
            f"planted: {sort}": f"{count} of {(planted['sort'] == sort).sum()}"
            for sort, count in by_sort.items()
        },
        "real pairs": f"{np.mean([together(*pair) for pair in real]):.4f} of {len(real):,}",
        "faces put with none that is alike": f"{stray:,}",
    }


def _num_unlike(faces: np.ndarray) -> int:
    """How many faces of a group are unlike all its others, so that they were put there wrongly."""
    if len(faces) < 2:
        return 0
    unlike = 0
    for start in range(0, len(faces), _BLOCK):
        block = correlations(faces[start : start + _BLOCK], faces)
        places = np.arange(len(block))
        block[places, start + places] = -1
        unlike += int((block.max(axis=1) < UNLIKE).sum())
    return unlike
