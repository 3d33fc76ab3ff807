"""Draws synthetic faces of a given expression, 48x48 gray levels."""

from typing import NamedTuple

import numpy as np

from fer_data.synthetic.canvas import Camera, Pose, Sitter, Sketch, new_camera, new_pose, new_sitter
from fer_data.synthetic.features import VARIANTS, Features, new_features

__all__ = ["VARIANTS", "Subject", "draw_face", "new_subject", "paint"]


class Subject(NamedTuple):
    """All that is random about one face."""

    features: Features
    sitter: Sitter
    pose: Pose
    camera: Camera


_ANGLES = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)
# From -1 to 1, denser towards the ends, where lids and lips bend most.
_HALF_TURN = np.linspace(-np.pi / 2, np.pi / 2, 11)
_ACROSS, _BULGE = np.sin(_HALF_TURN), np.cos(_HALF_TURN) ** 2
_SIDES = (-1, 1)


def draw_face(expression: str, generator: np.random.Generator) -> np.ndarray:
    """Draws one face; head, hair, pose, light, camera and strength of expression differ each time.

    Args:
        expression: One of the keys of `VARIANTS`.
        generator: Where the differences come from; from the same state comes the same person in the
            same light, whatever the expression.

    Returns:
        uint8 (48, 48), 0 black to 255 white. It takes about a millisecond.

    Raises:
        UserError: There is no such expression.
    """
    return paint(new_subject(expression, generator))


def new_subject(expression: str, generator: np.random.Generator) -> Subject:
    """Draws all that is random about a face, in a tenth of the time that painting it takes.

    Args:
        expression: One of the keys of `VARIANTS`.
        generator: Where the differences come from.

    Raises:
        UserError: There is no such expression.
    """
    features, sitter = new_features(expression, generator), new_sitter(generator)
    return Subject(features, sitter, new_pose(generator), new_camera(generator))


def paint(subject: Subject) -> np.ndarray:
    """Paints a face, and photographs it: uint8 (48, 48), 0 black to 255 white."""
    features, sketch = subject.features, Sketch(subject.sitter, subject.pose)
    _draw_head(sketch, features)
    _draw_nose(sketch)
    _draw_folds(sketch, features)
    for side in _SIDES:
        _draw_eye(sketch, features, side)
        _draw_brow(sketch, features, side)
    _draw_mouth(sketch, features)
    if sketch.sitter.glasses:
        _draw_glasses(sketch)
    return sketch.photograph(subject.camera)


def _draw_head(sketch: Sketch, features: Features) -> None:
    """Shoulders, hair, ears and face, from back to front."""
    sitter = sketch.sitter
    skin, hair, volume, length = sitter.skin, sitter.hair, sitter.hair_volume, sitter.hair_length
    shoulders = np.array([-1.8, -0.55, -0.5, 0.5, 0.55, 1.8])
    sketch.fill(shoulders, np.array([1.8, 1.25, 0.8, 0.8, 1.25, 1.8]), 0.72 * skin, 0)
    if length > 0:
        side = np.array([-1.15, -1.1, -1.0, 1.0, 1.1, 1.15]) * volume
        sketch.fill(side, np.array([length, -0.3, -0.6, -0.6, -0.3, length]), 0.9 * hair, 0)
        neck = np.array([-0.42, 0.42, 0.5, -0.5])
        sketch.fill(neck, np.array([0.7, 0.7, 1.8, 1.8]), 0.7 * skin, 0)
    else:
        for side in _SIDES:
            sketch.fill(side + 0.11 * _COS, 0.05 + 0.2 * _SIN, 0.85 * skin, 0)
    crown = np.where(_SIN < 0, volume + 0.05, 0.3) * _SIN - 0.15
    sketch.fill(volume * _COS, crown, hair, 0)
    chin = 1.1 + 0.25 * features.mouth_open  # the jaw falls
    face_x = _COS * (1 - sitter.jaw * np.maximum(_SIN, 0) ** 2)
    sketch.fill(face_x, np.where(_SIN < 0, 1.12, chin) * _SIN, skin, 0)
    if sitter.beard:
        below = _SIN > 0.4
        sketch.shade(face_x[below], chin * _SIN[below], -60 * sitter.beard, 0)
    edge = np.array([0.8, 1.0, 0.95, 0.62, 0.5, 0.75])  # shadows there make the head round
    for side in _SIDES:
        sketch.shade(side * edge, np.array([-0.6, -0.2, 0.4, 0.95, 0.8, 0.3]), -26, 0)
    sketch.shade(0.32 * _COS, -0.55 + 0.13 * _SIN, 14)
    hairline = sitter.hairline + 0.28 * (_ACROSS - 0.7 * sitter.parting) ** 2
    top = -0.15 - (volume + 0.05) * np.sqrt(1 - (0.98 * _ACROSS) ** 2)
    sketch.between(_ACROSS, top, np.minimum(hairline, -0.2), hair, 0)


def _draw_nose(sketch: Sketch) -> None:
    """Bridge and nostrils."""
    tip = sketch.sitter.nose
    bridge = np.array([0.0, 0.07, 0.2, 0.0])
    sketch.shade(bridge, np.array([-0.3, -0.2, tip + 0.05, tip + 0.08]), -24)
    sketch.shade(np.array([-0.07, 0.02, 0.03, -0.07]), np.array([-0.25, -0.25, tip, tip]), 18)
    for side in _SIDES:
        nostril = side * 0.085 + 0.05 * _COS
        sketch.fill(nostril, tip + 0.035 + 0.028 * _SIN, 0.5 * sketch.sitter.skin, 1.15)


def _draw_folds(sketch: Sketch, features: Features) -> None:
    """What a face that moves folds: from the nose to the mouth, the cheeks, between the brows."""
    tip, skin = sketch.sitter.nose, sketch.sitter.skin
    for side in _SIDES:
        if features.folds > 0.1:
            x = side * np.array([0.18, 0.3, features.mouth_width + 0.08])
            y = np.array([tip - 0.04, tip + 0.1, 0.55 - 0.5 * features.smile])
            sketch.stroke(x, y, 0.04, skin * (1 - 0.28 * min(features.folds, 1.2)))
        if features.smile > 0.08:
            sketch.shade(side * 0.55 + 0.2 * _COS, 0.2 + 0.13 * _SIN, 90 * features.smile)
        if features.frown > 0.25:
            x = side * np.array([0.05, 0.07, 0.09, 0.04])
            sketch.fill(x, np.array([-0.42, -0.42, -0.2, -0.2]), skin * (1 - 0.3 * features.frown))


def _draw_eye(sketch: Sketch, features: Features, side: int) -> None:
    """Socket, white, iris and glint between the lids."""
    sitter, skin = sketch.sitter, sketch.sitter.skin
    middle, half, y = side * sitter.eye_distance, sitter.eye_width, -0.1
    corners = y + features.lid_droop * _ACROSS  # from the nose outwards, on either side
    x = middle + side * half * _ACROSS
    upper = corners - features.lid_upper * np.sqrt(_BULGE)
    lower = corners + features.lid_lower * np.sqrt(_BULGE)
    sketch.shade(middle + (half + 0.06) * _COS, y - 0.05 + 0.17 * _SIN, -24)
    sketch.between(x, upper, lower, 70 + 0.75 * skin)
    iris = 0.105 * _COS
    outwards = side * iris / half
    lids = np.interp(outwards, _ACROSS, upper), np.interp(outwards, _ACROSS, lower)
    sketch.fill(middle + iris, np.clip(y - 0.01 + 0.105 * _SIN, *lids), sitter.iris)
    sketch.fill(middle + 0.03 + 0.028 * _COS, y - 0.03 + 0.028 * _SIN, 150 + 0.45 * skin)
    sketch.stroke(x, upper - 0.012, 0.05, 0.3 * skin)
    sketch.stroke(x, lower + 0.01, 0.025, 0.6 * skin)


def _draw_brow(sketch: Sketch, features: Features, side: int) -> None:
    """One brow, thin at its outer end; its height is a quadratic Bézier curve of three features."""
    sitter = sketch.sitter
    outwards = np.linspace(0, 1, 7)
    inner, outer = 0.17 - features.brow_together, sitter.eye_distance + sitter.eye_width + 0.07
    arch = 2 * outwards * (1 - outwards)
    raised = features.brow_inner * (1 - outwards) ** 2 + features.brow_outer * outwards**2
    y = -0.36 - raised - (features.brow_arch + 0.15) * arch
    width = sitter.brow_width * np.array([1.5, 2.0, 2.0, 1.9, 1.7, 1.3, 0.7])
    x = side * (inner + (outer - inner) * outwards)
    sketch.stroke(x, y, width, min(0.8 * sitter.hair, 0.5 * sitter.skin))


def _draw_mouth(sketch: Sketch, features: Features) -> None:
    """Lips, the gap between them, teeth and the shadow below."""
    skin = sketch.sitter.skin
    x = features.mouth_width * _ACROSS
    line = 0.6 + features.smile * (0.35 - _ACROSS**2)
    gap = features.mouth_open * _BULGE**features.mouth_roundness
    upper, lower = line - 0.45 * gap, line + 0.55 * gap
    lip = features.lips * _BULGE**0.6
    bow = 1 - 0.35 * np.exp(-((_ACROSS / 0.2) ** 2))
    sketch.between(x, upper - lip * bow, lower + 1.25 * lip, 0.66 * skin)
    if features.mouth_open:
        sketch.between(x, upper, lower, 28)
        if features.teeth > 0.2:
            teeth = upper + min(features.teeth, 0.85) * gap
            sketch.between(x[1:-1], upper[1:-1], teeth[1:-1], 75 + 0.8 * skin)
    else:
        sketch.stroke(x, line, 0.045, 0.32 * skin)
    sketch.shade(0.2 * _COS, lower.max() + 1.3 * features.lips + 0.07 + 0.04 * _SIN, -26)


def _draw_glasses(sketch: Sketch) -> None:
    for side in _SIDES:
        rim = side * sketch.sitter.eye_distance + 0.3 * _COS
        sketch.outline(rim, -0.06 + 0.24 * _SIN, 30, 1.1)
    sketch.stroke(np.array([-0.1, 0.1]), np.array([-0.1, -0.1]), 0.05, 30)
