"""The features of a face that an expression moves, and how each expression moves them.

What each expression does to brows, lids, cheeks and lips follows Ekman and Friesen, Unmasking the
Face (1975).
"""

from typing import NamedTuple

import numpy as np

from fer_data.core.errors import UserError


class Features(NamedTuple):
    """The features that an expression moves, in face units (see `canvas`) unless said otherwise."""

    brow_inner: float = 0.0
    """How far the inner ends of the brows are raised."""
    brow_arch: float = 0.0
    brow_outer: float = 0.0
    brow_together: float = 0.0
    """How far the inner ends are drawn towards each other."""
    lid_upper: float = 0.09
    """From the middle of the eye up to the lid."""
    lid_lower: float = 0.075
    lid_droop: float = 0.0
    """How far the outer corners of the eyes hang."""
    smile: float = 0.0
    """How far the corners of the mouth are above its middle."""
    mouth_width: float = 0.36
    """Half of it."""
    mouth_open: float = 0.0
    """Height of the gap between the lips."""
    mouth_roundness: float = 0.5
    """Exponent of the gap's outline: 0.5 is an ellipse, less nears a box, more a lens."""
    teeth: float = 0.0
    """The part of the gap that they fill."""
    lips: float = 0.07
    """Thickness of each."""
    folds: float = 0.0
    """Depth of the folds from nose to mouth, from 0 to 1."""
    frown: float = 0.0
    """Depth of the folds between the brows, from 0 to 1."""


NEUTRAL = Features()
# fmt: off
VARIANTS: dict[str, tuple[Features, ...]] = {
    "angry": (  # lips pressed together, or teeth bared
        Features(-0.19, -0.05, 0.03, 0.1, 0.045, 0.05, -0.02, -0.07, 0.3, 0, 0.5, 0, 0.035, 0.5, 1),
        Features(-0.19, -0.05, 0.04, 0.1, 0.06, 0.05, -0.02, -0.13, 0.36, 0.2, 0.2, 1, 0.05, 0.6, 1),
    ),
    "disgust": (
        Features(-0.1, -0.09, -0.04, 0.05, 0.04, 0.03, 0, -0.1, 0.36, 0.06, 0.4, 0.6, 0.1, 1, 0.5),
    ),
    "fear": (  # mouth open, or lips drawn back from the teeth
        Features(0.2, 0.12, -0.02, 0.08, 0.16, 0.09, 0.02, -0.07, 0.47, 0.2, 0.25, 0.5, 0.05, 0.2, 0.5),
        Features(0.2, 0.1, -0.02, 0.08, 0.15, 0.1, 0.02, -0.09, 0.46, 0.12, 0.2, 1, 0.045, 0.3, 0.5),
    ),
    "happy": (  # laughing, or smiling
        Features(0, 0.03, 0, 0, 0.06, 0.03, 0.01, 0.2, 0.48, 0.2, 0.7, 1, 0.06, 1),
        Features(0, 0.03, 0, 0, 0.065, 0.04, 0.01, 0.18, 0.47, lips=0.06, folds=0.9),
    ),
    "neutral": (NEUTRAL,),
    "sad": (
        Features(0.15, -0.03, -0.12, 0.06, 0.03, 0.065, 0.06, -0.15, 0.31, 0, 0.5, 0, 0.075, 0.3, 0.3),
    ),
    "surprise": (
        Features(0.2, 0.27, 0.17, -0.02, 0.175, 0.12, 0, 0, 0.2, 0.42, 0.5, 0.15),
    ),
}
"""How each expression is shown at full strength; some are shown in more ways than one."""

# The standard deviation of each feature from face to face.
_SPREAD = np.array(
    [0.03, 0.03, 0.03, 0.015, 0.012, 0.01, 0.015, 0.03, 0.03, 0.015, 0.02, 0.08, 0.012, 0.12, 0.12]
)
# fmt: on


def new_features(expression: str, generator: np.random.Generator) -> Features:
    """Draws one face's own way and strength of showing an expression.

    Raises:
        UserError: There is no such expression.
    """
    if expression not in VARIANTS:
        raise UserError(
            f"no drawing for the expression {expression!r}: expected one of {', '.join(VARIANTS)}"
        )
    variants = VARIANTS[expression]
    # Not integers(), which draws nothing where there is one variant: the person would change too.
    full = np.array(variants[int(generator.uniform() * len(variants))])
    values = np.array(NEUTRAL) + generator.uniform(0.5, 1.2) * (full - NEUTRAL)
    drawn = Features(*(values + _SPREAD * generator.standard_normal(len(values))).tolist())
    return drawn._replace(
        lid_upper=max(drawn.lid_upper, 0.02),
        lid_lower=max(drawn.lid_lower, 0.02),
        mouth_width=max(drawn.mouth_width, 0.15),
        mouth_open=drawn.mouth_open if drawn.mouth_open > 0.04 else 0.0,
        mouth_roundness=max(drawn.mouth_roundness, 0.2),
        lips=max(drawn.lips, 0.03),
    )
