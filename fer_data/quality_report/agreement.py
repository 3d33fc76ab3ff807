"""Measures how far people agree where several decided on the same face."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from fer_data.annotation.apply_decisions import final_labels, is_retired
from fer_data.annotation.opinions import opinions
from fer_data.annotation.statistics import Rate, wilson_rate
from fer_data.core.schema import ANNOTATOR, GIVEN_LABEL, KEEP, PIXEL_HASH

ANSWER = "answer"
ANSWERS = "answers"


@dataclass(frozen=True)
class Pair:
    """The agreement of two people."""

    names: tuple[str, str]
    faces: int
    """On how many both decided."""
    agreed: int
    """On how many of these they gave the same answer."""
    kappa: Rate
    """Cohen's kappa; None where both gave one and the same answer to every face."""

    @property
    def rate(self) -> Rate:
        """The raw agreement."""
        return wilson_rate(self.agreed, self.faces)


@dataclass(frozen=True)
class Agreement:
    """The agreement of all who decided."""

    num_people: int
    """Who decided on any face."""
    num_faces: int
    """On how many two people decided, or more."""
    num_agreed: int
    """On how many of these all gave the same answer."""
    pairs: list[Pair]
    """Those who share a face; the pair with the most faces comes first."""
    disputed: pd.DataFrame
    """A row for each face with several answers: `pixel_hash`, the `given_label` of the first answer, and
    `answers`, a list of who gave which."""

    @property
    def rate(self) -> Rate:
        """How often all agreed."""
        return wilson_rate(self.num_agreed, self.num_faces)


def agreement_of(decision_log: pd.DataFrame, *, retired: Collection[str] = ()) -> Agreement:
    """Compares what people said of the same faces.

    Each person counts once on a face, with their last decision that was not undone. `keep` is an answer
    of its own, and so is `drop`; an expression that is the given label itself is a `keep`. Where two
    people saw copies under different labels, a `keep` is the label that it kept.

    Args:
        decision_log: All decisions: see `schema.DECISION_COLUMNS`.
        retired: Classes that are none any more: decisions that name one do not count.
    """
    own = opinions(decision_log)
    own = own[~is_retired(own, retired)].sort_values([PIXEL_HASH, ANNOTATOR], ignore_index=True)
    final, on_face = final_labels(own), own.groupby(PIXEL_HASH)
    is_kept = (final == own[GIVEN_LABEL]) & (on_face[GIVEN_LABEL].transform("nunique") == 1)
    own = own.assign(**{ANSWER: final.mask(is_kept, KEEP)})
    several = own[on_face[ANNOTATOR].transform("size") > 1]
    common: dict[tuple[str, str], list[tuple[str, str]]] = {}
    disputed: list[tuple[str, str, list[tuple[str, str]]]] = []
    for pixel_hash, rows in several.groupby(PIXEL_HASH):
        answers = list(zip(rows[ANNOTATOR], rows[ANSWER], strict=True))
        for (one, said), (other, said_too) in combinations(answers, 2):
            common.setdefault((one, other), []).append((said, said_too))
        if len({answer for _, answer in answers}) > 1:
            disputed.append((str(pixel_hash), rows[GIVEN_LABEL].iloc[0], answers))
    pairs = [_pair(names, answers) for names, answers in common.items()]
    return Agreement(
        num_people=own[ANNOTATOR].nunique(),
        num_faces=several[PIXEL_HASH].nunique(),
        num_agreed=several[PIXEL_HASH].nunique() - len(disputed),
        pairs=sorted(pairs, key=lambda pair: (-pair.faces, pair.names)),
        disputed=pd.DataFrame(disputed, columns=[PIXEL_HASH, GIVEN_LABEL, ANSWERS]),
    )


def _pair(names: tuple[str, str], answers: list[tuple[str, str]]) -> Pair:
    """The agreement of two people on the faces to which they gave these answers.

    From J. Cohen, A Coefficient of Agreement for Nominal Scales (1960), which takes the agreement by
    chance for known; with Wilson's interval of the raw agreement, so that it holds for few faces too.
    """
    agreed = sum(one == other for one, other in answers)
    raw, total = wilson_rate(agreed, len(answers)), len(answers)
    first, second = (Counter(column) for column in zip(*answers, strict=True))
    chance = sum(first[answer] * second[answer] for answer in first) / total**2

    def beyond_chance(rate: float | None) -> float | None:
        return None if rate is None or chance == 1 else (rate - chance) / (1 - chance)

    kappa = Rate(*(beyond_chance(rate) for rate in (raw.value, raw.low, raw.high)))
    return Pair(names, faces=total, agreed=agreed, kappa=kappa)
