"""How well faces are read that do not fill the image: with the face step and without it.

    python benchmarks/detection_robustness.py --workspace . --model mobilenetv2
    python benchmarks/detection_robustness.py --workspace . --model scratch --faces 300 --parts 0.4 0.6

The workspace must have been run up to `evaluate`. Faces of `test` are enlarged and pasted anywhere into
images of 640x480, onto noise, soft colors and something like a photograph, which it draws. The
detector's thresholds and the alignment were chosen on faces of `validation` and other backgrounds.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fer_data.core import tfrecord
from fer_data.core.catalog import output
from fer_data.core.schema import TEST
from fer_models.detection.face_detector import Face, FaceFinder, whole_image
from fer_models.inference.model_store import open_model

WIDTH, HEIGHT = 640, 480
PARTS = (0.2, 0.4, 0.6, 0.8)
GOAL_FROM, GOAL = 0.4, 3.0


def noise(generator: np.random.Generator) -> np.ndarray:
    """Every pixel a color of its own."""
    return generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def soft(generator: np.random.Generator) -> np.ndarray:
    """A few colors that run into each other."""
    few = Image.fromarray(generator.integers(0, 256, (3, 4, 3), np.uint8))
    return np.asarray(few.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def photographic(generator: np.random.Generator) -> np.ndarray:
    """Light from a side, things with edges before one another, most of them out of focus, and grain."""
    image = Image.fromarray(soft(generator))
    for depth in range(3):
        draw = ImageDraw.Draw(image)
        for _ in range(generator.integers(6, 14)):
            x, y = generator.uniform(-60, WIDTH), generator.uniform(-60, HEIGHT)
            wide, high = generator.uniform(15, 240, 2)
            color = tuple(generator.integers(0, 256, 3).tolist())
            shape = draw.ellipse if generator.random() < 0.5 else draw.rectangle
            shape((x, y, x + wide, y + high), fill=color)
        image = image.filter(ImageFilter.GaussianBlur(4 - 1.5 * depth))
    light = np.linspace(generator.uniform(0.5, 1), generator.uniform(0.5, 1), WIDTH)[:, np.newaxis]
    grain = generator.normal(scale=6, size=(HEIGHT, WIDTH, 1))
    return np.clip(np.asarray(image) * light + grain, 0, 255).astype(np.uint8)


BACKGROUNDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "noise": noise,
    "soft": soft,
    "photographic": photographic,
}


def pasted(
    face: np.ndarray, background: np.ndarray, part: float, generator: np.random.Generator
) -> np.ndarray:
    """The background with the face, uint8 (48, 48), anywhere on it, `part` of its height high."""
    side = round(part * HEIGHT)
    large = Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)
    left, top = generator.integers(0, [WIDTH - side + 1, HEIGHT - side + 1])
    image = background.copy()
    image[top : top + side, left : left + side] = np.asarray(large)[..., np.newaxis]
    return image


def main() -> None:
    """Prints a line a size, and one a size and background."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path())
    parser.add_argument("--model", required=True)
    parser.add_argument("--faces", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", type=float, nargs="+", default=PARTS, help="of the height")
    flags = parser.parse_args()
    predictor = open_model(flags.model, workspace=flags.workspace)
    test = tfrecord.read_split(output("tfrecords", "tfrecords", workspace=flags.workspace), TEST)
    generator = np.random.default_rng(flags.seed)
    chosen = generator.permutation(len(test.labels))[: flags.faces]
    faces, labels = test.faces[chosen, ..., 0], test.labels[chosen]
    finder, names = FaceFinder(), list(BACKGROUNDS)

    def accuracy(shown: np.ndarray, among: np.ndarray | None = None) -> float:
        right = predictor.predict(shown).probabilities.argmax(axis=1) == labels
        return 100 * float(right[among].mean() if among is not None else right.mean())

    centered = accuracy(faces)
    print(f"{flags.model}, {len(labels)} faces of `{TEST}`; centered: {centered:.1f} %")
    print(f"{'of height':<10}{'background':<14}{'found':>8}{'with':>8}{'below':>8}{'without':>9}")
    for part in flags.parts:
        kinds = generator.integers(0, len(names), len(labels))
        with_step, without, was_found = [], [], []
        for face, kind in zip(faces, kinds, strict=True):
            background = BACKGROUNDS[names[kind]](generator)
            image = pasted(face, background, part, generator)
            found = finder.find(image)
            best: Face = max(found, key=lambda one: one.confidence, default=whole_image(image))
            with_step.append(best.pixels)
            without.append(whole_image(image).pixels)
            was_found.append(bool(found))
        for name in ("all", *names):
            among = np.ones(len(labels), bool) if name == "all" else kinds == names.index(name)
            read, unaided = accuracy(np.array(with_step), among), accuracy(np.array(without), among)
            below = accuracy(faces, among) - read
            missed = name == "all" and part >= GOAL_FROM and below > GOAL
            print(
                f"{100 * part:3.0f} %     {name:<14}{100 * np.mean(np.array(was_found)[among]):6.1f} %"
                f"{read:6.1f} %{below:8.1f}{unaided:7.1f} %{'  MISSED' if missed else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
