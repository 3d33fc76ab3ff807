"""A canvas for drawn faces: polygons in face units, photographed at 48x48.

Face units: the origin is the middle of the head, 1 its half width, x to the right, y downwards.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fer_data.core.schema import FACE_SIZE

SCALE = 4
"""Side of the drawing over the side of the finished face."""
MIDDLE_GREY = 128


class Sitter(NamedTuple):
    """The person to draw: grays from 0 to 255, and lengths in face units."""

    skin: float
    hair: float
    iris: float
    background: float
    jaw: float
    """How much narrower the chin is than the head, from 0 to 1."""
    hairline: float
    """Its y."""
    parting: float
    """Where the hairline is highest, from -1, left, to 1."""
    hair_length: float
    """The y where the hair ends; above 0 it falls behind the ears."""
    hair_volume: float
    """Width of the hair over that of the head."""
    brow_width: float
    beard: float
    """From 0, none, to 1."""
    glasses: bool
    nose: float
    """The y of its tip."""
    eye_distance: float
    """From the middle of the face to the middle of an eye."""
    eye_width: float
    """Half of it."""


def new_sitter(generator: np.random.Generator) -> Sitter:
    """Draws a random person."""
    uniform = generator.uniform
    skin = uniform(105, 215)
    long_hair = uniform() < 0.45
    return Sitter(
        skin=skin,
        hair=min(uniform(15, 150), skin - 35),
        iris=uniform(20, 95),
        background=uniform(10, 240),
        jaw=uniform(0.1, 0.32),
        hairline=uniform(-0.82, -0.6),
        parting=uniform(-1, 1),
        hair_length=uniform(0.7, 1.5) if long_hair else 0.0,
        hair_volume=uniform(1.04, 1.22),
        brow_width=uniform(0.035, 0.065),
        beard=uniform(0.3, 1) if uniform() < 0.2 and not long_hair else 0.0,
        glasses=uniform() < 0.1,
        nose=uniform(0.2, 0.3),
        eye_distance=uniform(0.37, 0.42),
        eye_width=uniform(0.2, 0.245),
    )


class Pose(NamedTuple):
    """How somebody sits: turned, tilted, nearer or farther, not quite in the middle."""

    turn: float
    nod: float
    to_pixels: np.ndarray
    """float (2, 2), from face units to pixels of the drawing."""
    middle: np.ndarray
    """float (2, 1), in pixels of the drawing."""


def new_pose(generator: np.random.Generator) -> Pose:
    """Seats somebody at random."""
    size = FACE_SIZE * SCALE
    turn, nod = generator.uniform(-0.3, 0.3), generator.uniform(-0.06, 0.06)
    tilt, zoom = 0.1 * generator.standard_normal(), size * generator.uniform(0.36, 0.46)
    rotation = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    to_pixels = zoom * rotation * [1.0, generator.uniform(0.94, 1.06)]  # long or broad
    return Pose(turn, nod, to_pixels, size * (0.5 + generator.uniform(-0.045, 0.045, (2, 1))))


class Camera(NamedTuple):
    """A poor camera, and the light."""

    to_right: float
    """How much lighter it grows to the right."""
    to_bottom: float
    exposure: float
    blur: float
    """In pixels."""
    noise: np.ndarray
    """float32 (48, 48), in gray levels."""


def new_camera(generator: np.random.Generator) -> Camera:
    """Draws a random camera, in a light from any side."""
    to_right, to_bottom = generator.uniform(-0.3, 0.3), generator.uniform(-0.25, 0.15)
    exposure, blur = generator.uniform(0.7, 1.12), generator.uniform(0, 0.8)
    strength = generator.uniform(1, 6)
    noise = strength * generator.standard_normal((FACE_SIZE, FACE_SIZE), np.float32)
    return Camera(to_right, to_bottom, exposure, blur, noise)


class Sketch:
    """A drawing in progress: one sheet with sharp edges and one with soft shadows.

    Arrays `x` and `y` are float (n,), in face units. `depth` says how much a point moves when the
    head turns or nods: 0 for the outline, 1 for the face, more for the tip of the nose.

    Attributes:
        sitter: Who is drawn.
    """

    def __init__(self, sitter: Sitter, pose: Pose) -> None:
        """Begins with the background alone."""
        self.sitter = sitter
        self._pose = pose
        size = FACE_SIZE * SCALE
        self._edges = Image.new("L", (size, size), int(sitter.background))
        self._shadows = Image.new("L", (FACE_SIZE, FACE_SIZE), MIDDLE_GREY)
        self._on_edges, self._on_shadows = (
            ImageDraw.Draw(self._edges),
            ImageDraw.Draw(self._shadows),
        )

    def _placed(self, x: np.ndarray, y: np.ndarray, depth: float) -> np.ndarray:
        """Pixels (n, 2) on the sheet with edges."""
        if depth:
            # The nearer to the middle of a round head, the farther a turn moves a point.
            x = x + depth * self._pose.turn * (np.sqrt(np.maximum(1.3 - x * x, 0)) - 0.25)
            y = y + depth * self._pose.nod
        return (self._pose.to_pixels @ np.array([x, y]) + self._pose.middle).T

    def fill(self, x: np.ndarray, y: np.ndarray, gray: float, depth: float = 1.0) -> None:
        """Paints a polygon."""
        points = self._placed(x, y, depth).ravel().tolist()
        self._on_edges.polygon(points, fill=min(max(int(gray), 0), 255))

    def outline(self, x: np.ndarray, y: np.ndarray, gray: float, depth: float = 1.0) -> None:
        """Paints the outline of a polygon, one finished pixel wide."""
        points = self._placed(x, y, depth).ravel().tolist()
        self._on_edges.polygon(points, outline=int(gray), width=SCALE)

    def between(
        self, x: np.ndarray, upper: np.ndarray, lower: np.ndarray, gray: float, depth: float = 1.0
    ) -> None:
        """Paints what lies between two curves over the same `x`."""
        self.fill(np.append(x, x[::-1]), np.append(upper, lower[::-1]), gray, depth)

    def stroke(self, x: np.ndarray, y: np.ndarray, width: np.ndarray | float, gray: float) -> None:
        """Paints a line of a width that is measured along y."""
        self.between(x, y - width / 2, y + width / 2, gray)

    def shade(self, x: np.ndarray, y: np.ndarray, change: float, depth: float = 1.0) -> None:
        """Darkens or lightens a polygon by `change` gray levels, softly, whatever is painted there."""
        points = (self._placed(x, y, depth) / SCALE).ravel().tolist()
        self._on_shadows.polygon(points, fill=MIDDLE_GREY + int(change))

    def photograph(self, camera: Camera) -> np.ndarray:
        """Takes a picture of the sketch.

        Returns:
            uint8 (48, 48).
        """
        shadows = self._shadows.filter(ImageFilter.GaussianBlur(1.6))
        face = np.asarray(self._edges.reduce(SCALE), np.float32) + np.asarray(shadows) - MIDDLE_GREY
        ramp = np.linspace(-1, 1, FACE_SIZE, dtype=np.float32)
        face *= 1 + camera.to_right * ramp + camera.to_bottom * ramp[:, np.newaxis]
        face *= camera.exposure
        taken = Image.fromarray(np.clip(face, 0, 255).astype(np.uint8))
        taken = taken.filter(ImageFilter.GaussianBlur(camera.blur))
        return np.clip(np.asarray(taken) + camera.noise, 0, 255).astype(np.uint8)
