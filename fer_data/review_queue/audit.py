"""The audit sample: random faces whose decisions tell how many labels are wrong.

The faces of the review queue are no random ones, so what people decide on them tells nothing of the
others. The review app mixes the audit's faces into the queue, and nothing on its page tells which they
are.
"""

import hashlib
from pathlib import Path

import pandas as pd

from fer_data.core.errors import UserError
from fer_data.core.schema import (
    EXCLUDED,
    LABEL,
    NEAR_GROUP,
    PATH,
    PIXEL_HASH,
    RANK,
    SPLIT,
    SUGGESTED_LABEL,
)
from fer_data.core.tables import read_csv

WEIGHT = "weight"
"""How many faces one of the sample stands for: those of its class, over those drawn of it."""
CLASS_FACES = "class_faces"
"""How many faces its class has, each group of near-duplicates counted once."""
WAITS = "waits"
"""Whether it was undecided when the sample was written."""
AUDIT_COLUMNS = (PATH, PIXEL_HASH, LABEL, SUGGESTED_LABEL, CLASS_FACES, WEIGHT, WAITS)
QUEUE_FACES = 4
"""After how many faces of the queue one of the audit comes."""


def draw_audit(
    ranked: pd.DataFrame, decided: pd.Series, *, num_faces: int, seed: int
) -> pd.DataFrame:
    """Draws the audit sample: as many faces of each given class, as far as they last.

    A hash of the pixels and the seed orders the faces, so that the sample stays the same as faces are
    decided or ranked again, and a larger one holds a smaller one. Of near-duplicates one is drawn at
    most; excluded faces are left out.

    Args:
        ranked: Faces with `path`, `pixel_hash`, `label`, `suggested_label`, `split` and `near_group`.
        decided: The pixel hashes of the decided faces.
        num_faces: The size of the sample; 0 draws none.
        seed: Another one draws other faces.

    Returns:
        At most `num_faces` rows with `AUDIT_COLUMNS`. Each beginning of the table is a stratified
        random sample too: the classes take turns, and within a class the order is random.
    """
    faces = ranked[ranked[SPLIT] != EXCLUDED]
    faces = faces.assign(key=[_key(pixel_hash, seed) for pixel_hash in faces[PIXEL_HASH]])
    once = faces.sort_values(["key", PATH]).drop_duplicates(NEAR_GROUP)
    of_class = once.groupby(LABEL)
    once = once.assign(**{CLASS_FACES: of_class[PATH].transform("size")}, turn=of_class.cumcount())
    drawn = once.sort_values(["turn", "key", PATH]).head(num_faces)
    weight = drawn[CLASS_FACES] / drawn.groupby(LABEL)[PATH].transform("size")
    waits = ~drawn[PIXEL_HASH].isin(decided)
    drawn = drawn.assign(**{WEIGHT: weight.astype(float).round(6), WAITS: waits})
    return drawn[list(AUDIT_COLUMNS)].reset_index(drop=True)


def read_audit(file: Path) -> pd.DataFrame:
    """Reads the sample as `draw_audit` returned it.

    Raises:
        UserError: The file is missing or is no such table.
    """
    table = read_csv(file, dtype=str)
    if tuple(table.columns) != AUDIT_COLUMNS:
        raise UserError(
            f"{file} lacks some of {', '.join(AUDIT_COLUMNS)}: `dvc repro review_queue` makes it again"
        )
    numbers = table.astype({CLASS_FACES: int, WEIGHT: float})
    return numbers.assign(**{WAITS: table[WAITS] == "True"})


def mix_in(queue: pd.DataFrame, audit: pd.DataFrame) -> pd.DataFrame:
    """Mixes the undecided faces of the audit into the queue, one after four faces or so.

    A face of the audit borrows issue type and label quality from a face of the queue beside it, and
    each face's rank is its place, so that nothing tells them apart. One that the queue holds further
    below comes here in place of there.

    Args:
        queue: The review queue: rows with `path`, `pixel_hash`, `label`, `suggested_label`,
            `label_quality`, `rank` and `issue_type`.
        audit: As `draw_audit` returns it.

    Returns:
        Rows with the columns of the queue, each image once; `rank` is 1, 2, ...
    """
    ordered = queue.sort_values(RANK, kind="stable").to_dict("records")
    waiting = audit[audit[WAITS]].to_dict("records")
    shown: set[str] = set()
    rows: list[dict] = []
    block: list[dict] = []
    for row in ordered:
        if row[PIXEL_HASH] in shown:
            continue
        shown.add(row[PIXEL_HASH])
        block.append(row)
        if len(block) < QUEUE_FACES:
            continue
        while waiting and waiting[0][PIXEL_HASH] in shown:
            waiting.pop(0)
        if waiting:
            face = waiting.pop(0)
            shown.add(face[PIXEL_HASH])
            # The place within the five is random, too, so that counting does not help.
            place = int(face[PIXEL_HASH][:8], 16) % (QUEUE_FACES + 1)
            beside = block[max(0, place - 1)]
            own = {name: face[name] for name in (PATH, PIXEL_HASH, LABEL, SUGGESTED_LABEL)}
            block.insert(place, {**beside, **own})
        rows += block
        block = []
    mixed = pd.DataFrame([*rows, *block], columns=list(queue.columns))
    return mixed.assign(**{RANK: range(1, len(mixed) + 1)})


def _key(pixel_hash: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {pixel_hash}".encode()).hexdigest()
