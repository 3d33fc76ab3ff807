"""Writes a drawn archive and the key to its errors, and neither over a person's own files."""

import csv
import zipfile
from pathlib import Path

import pandas as pd

from fer_data.core.files import atomic_write, refuse_folder
from fer_data.core.own_files import refuse_foreign
from fer_data.synthetic.drawn_archive import DATE, write_sample
from fer_data.synthetic.planted_errors import ERROR_COLUMNS


def draw_sample(
    archive: Path, *, num_faces: int, seed: int, force: bool
) -> tuple[pd.DataFrame, Path]:
    """Writes `NAME.zip`, and `NAME.planted.csv` beside it.

    Args:
        archive: The zip to write. One that this wrote before is replaced.
        num_faces: As `write_sample` takes it.
        seed: As `write_sample` takes it.
        force: Whether files that it did not write are replaced, too.

    Returns:
        The key, as `write_sample` returns it, and its file.

    Raises:
        UserError: As `write_sample`; or one of the two files is a folder, or is somebody else's.
    """
    refuse_folder(archive)  # such as `.`, which has no suffix to replace
    key = archive.with_suffix(".planted.csv")
    for file, is_own in ((archive, _is_drawn), (key, _is_key)):
        if force:
            refuse_folder(file)
        else:
            remedy = ", or replace it with `--force`"
            refuse_foreign(file, is_own=is_own, command="ferflow sample", remedy=remedy)
    planted = write_sample(archive, num_faces=num_faces, seed=seed)
    with atomic_write(key) as beside:
        planted.to_csv(beside, index=False)
    return planted, key


def _is_drawn(file: Path) -> bool:
    """Whether it is a zip whose members all bear the date that `write_sample` gives them."""
    try:
        with zipfile.ZipFile(file) as archive:
            dates = {info.date_time for info in archive.infolist()}
    except (zipfile.BadZipFile, UnicodeDecodeError):  # no zip, or a broken one
        return False
    except NotImplementedError:  # what zipfile raises for a zip format that it cannot read
        return False
    return dates == {DATE}


def _is_key(file: Path) -> bool:
    """Whether its header is that of a key, or of one from before `error` was called so."""
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        header = next(csv.reader([lines.readline(1000)]), [])
    return ["error" if name == "fault" else name for name in header] == list(ERROR_COLUMNS)
