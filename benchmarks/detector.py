"""Our way through mtcnn's networks beside the package's own, on the same images.

    python benchmarks/detector.py                 # 30 drawn faces in images of 640x480

Both look for faces of 20 pixels and more. The images are soft colors with one drawn face each, a
fifth to four fifths of the height. The last line is what following a face costs that was found before.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from mtcnn import MTCNN
from PIL import Image

from fer_data.synthetic.faces import VARIANTS, draw_face
from fer_models.detection.face_detector import SURE
from fer_models.detection.mtcnn import Cascade

WIDTH, HEIGHT = 640, 480


def drawn_image(generator: np.random.Generator) -> np.ndarray:
    """One face on soft colors, uint8 (480, 640, 3)."""
    few = Image.fromarray(generator.integers(0, 256, (3, 4, 3), np.uint8))
    image = few.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    face = Image.fromarray(draw_face(str(generator.choice(list(VARIANTS))), generator))
    side = int(generator.integers(HEIGHT // 5, 4 * HEIGHT // 5))
    left, top = generator.integers(0, [WIDTH - side, HEIGHT - side]).tolist()
    large = face.resize((side, side), Image.Resampling.BICUBIC)
    image.paste(large.convert("RGB"), (left, top))
    return np.asarray(image)


def main() -> None:
    """Prints, for each way, in how many images a face was found, and the median time of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    generator = np.random.default_rng(flags.seed)
    images = [drawn_image(generator) for _ in range(flags.images)]
    cascade, package = Cascade(), MTCNN()
    boxes = [cascade.detect(image).boxes[:1] for image in images]
    ways: dict[str, Callable[[int], bool]] = {
        "ferflow": lambda number: cascade.detect(images[number]).best >= SURE,
        "mtcnn": lambda number: bool(package.detect_faces(images[number])),
        "followed": lambda number: (
            cascade.detect_in_boxes(images[number], boxes[number]).best >= SURE
        ),
    }
    for name, find in ways.items():
        find(0)
        num_found, spent = 0, []
        for number in range(len(images)):
            wall, busy = time.perf_counter(), time.process_time()
            num_found += find(number)
            spent.append((time.perf_counter() - wall, time.process_time() - busy))
        wall, busy = 1000 * np.median(spent, axis=0)
        print(
            f"{name:<10}found {num_found} of {len(images)}, {wall:.0f} ms an image, "
            f"{busy:.0f} ms of processor time"
        )


if __name__ == "__main__":
    main()
