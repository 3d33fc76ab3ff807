"""Keeps the votes on faces, and turns them into label shares and clear labels.

`data/votes.csv` has a row a face (distinct pixels) and a column of counts a meaning: a class, `unknown`
or `drop`. A header of `pixel_hash` alone is no votes. `ferflow import-decisions --votes` writes it.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.schema import DROP, PIXEL_HASH
from fer_data.core.tables import read_csv

UNKNOWN: Final = "unknown"
"""Votes of people who could not tell."""
_COUNT: Final = re.compile("[0-9]{1,9}")
_MEANING: Final = re.compile("[a-z][a-z_]*")
_HASH: Final = re.compile("[0-9a-f]{64}")


def read_kept_votes(file: Path) -> pd.DataFrame:
    """Reads the votes that a workspace keeps.

    Returns:
        int64, a row a face, by pixel hash, and a column a meaning; without columns where there are none.

    Raises:
        UserError: It is missing, or not as it was written: a face twice, or a count that is none.
    """
    if not file.exists():
        raise UserError(
            f"{file} is missing: a line `{PIXEL_HASH}` there means that there are no votes"
        )
    remedy = "`git checkout` brings back what was committed, or import the votes again"
    try:
        read = read_csv(file, dtype=str)
    except UserError:
        raise UserError(f"{file} is no whole CSV in UTF-8: {remedy}") from None
    if read.columns[0] != PIXEL_HASH:
        raise UserError(f"{file} begins with {read.columns[0]!r}, expected {PIXEL_HASH}: {remedy}")
    for meaning in read.columns[1:]:  # a second column of a name is read as another name
        if not _MEANING.fullmatch(meaning):
            raise UserError(
                f"{file} has a column {meaning[:40]!r}, expected the name of a class, {UNKNOWN} or "
                f"{DROP}, in small letters, each once: {remedy}"
            )
    for number, pixel_hash in enumerate(read[PIXEL_HASH], start=2):
        if not _HASH.fullmatch(pixel_hash):
            raise UserError(
                f"{file}, line {number}: got {pixel_hash[:80]!r}, expected a pixel hash, 64 hexadecimal "
                f"digits: {remedy}"
            )
    twice = read[PIXEL_HASH].duplicated()
    if twice.any():
        raise UserError(f"{file} has {read.loc[twice, PIXEL_HASH].iloc[0]} twice: {remedy}")
    counts = read.set_index(PIXEL_HASH)
    for meaning in counts:
        for pixel_hash, text in counts[meaning].items():
            if not _COUNT.fullmatch(text):
                raise UserError(
                    f"{file}: got {text[:40]!r} votes for {meaning} on {pixel_hash}, expected a whole "
                    f"number: {remedy}"
                )
    return counts.astype(np.int64)


def write_kept_votes(votes: pd.DataFrame, file: Path) -> None:
    """Writes votes as `read_kept_votes` reads them, by pixel hash; whole or not at all."""
    with atomic_write(file) as beside:
        votes.sort_index().to_csv(beside, index_label=PIXEL_HASH, lineterminator="\n")


def merge_votes(kept: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Adds votes on other faces, and replaces those on the same ones.

    Args:
        kept: As `read_kept_votes` returns them.
        new: Likewise.
    """
    left = kept.loc[~kept.index.isin(new.index)]
    return pd.concat([left, new]).fillna(0).astype(np.int64).sort_index()


def label_shares(votes: pd.DataFrame, expressions: tuple[str, ...]) -> pd.DataFrame:
    """The share of each class among the votes for the classes.

    Args:
        votes: As `read_kept_votes` returns them. Those for `unknown`, `drop` and other classes are left
            aside.
        expressions: The K classes.

    Returns:
        float32 with K columns, each row with the sum 1, of the faces most of whose votes are for the
        classes: one vote among many for something else is no label.
    """
    counts = votes.reindex(columns=list(expressions), fill_value=0)
    counts = counts[2 * counts.sum(axis=1) > votes.sum(axis=1)]
    return counts.div(counts.sum(axis=1), axis=0).astype(np.float32)


def clear_labels(votes: pd.DataFrame, *, min_agreement: float) -> pd.Series:
    """What a clear majority says of each face on which one agrees.

    Args:
        votes: As `read_kept_votes` returns them.
        min_agreement: The part of all votes on a face, those for `unknown` too: more than 0.5.

    Returns:
        The meaning (a class, `unknown` or `drop`) by pixel hash.
    """
    total = votes.sum(axis=1)
    is_clear = (total > 0) & (votes.max(axis=1) >= min_agreement * total)
    return votes[is_clear].idxmax(axis=1) if is_clear.any() else pd.Series(dtype=str)
