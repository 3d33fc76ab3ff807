"""Duplicates in a folder of images by cleanvision or imagededup, with their defaults.

    PYTHON benchmarks/peers/find_duplicates.py cleanvision FOLDER PAIRS.csv

Of an environment that has the package: `pip install cleanvision imagededup`. Both are made for
photographs of any size, and hash them; faces of 48x48 are a special case that they were not tuned for.
"""

import csv
import itertools
import sys
from collections.abc import Iterable
from pathlib import Path


def by_cleanvision(folder: Path) -> Iterable[tuple[str, str]]:
    """Pairs of its sets of exact and near duplicates."""
    from cleanvision import Imagelab  # pyright: ignore[reportMissingImports]

    lab = Imagelab(data_path=str(folder))
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, verbose=False)
    for kind in ("exact_duplicates", "near_duplicates"):
        for alike in lab.info[kind]["sets"]:
            yield from itertools.combinations(alike, 2)


def by_imagededup(folder: Path) -> Iterable[tuple[str, str]]:
    """Pairs within its default distance of perceptual hashes."""
    from imagededup.methods import PHash  # pyright: ignore[reportMissingImports]

    found = PHash(verbose=False).find_duplicates(image_dir=str(folder), recursive=True)
    for name, others in found.items():
        for other in others:
            yield str(folder / name), str(folder / other)


def main() -> None:
    """Writes each pair once, as paths within the folder."""
    package, folder, target = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    pairs = {"cleanvision": by_cleanvision, "imagededup": by_imagededup}[package](folder)
    inside = (
        sorted(str(Path(path).resolve().relative_to(folder.resolve())) for path in pair)
        for pair in pairs
    )
    with Path(target).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(sorted({(first, second) for first, second in inside}))


if __name__ == "__main__":
    main()
