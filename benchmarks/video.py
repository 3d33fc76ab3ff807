"""How fast a video is read, and how much smoothing calms its labels, on a clip that this draws.

    python benchmarks/video.py --workspace path/to/a/demo --model scratch

The workspace must hold a model of drawn faces (`ferflow demo` makes one). The clip, 640x480 pixels and
25 frames a second, shows one drawn person whose expression changes every two seconds, who moves about,
comes nearer and leans, in light that changes, in front of soft colors, with a camera's noise.
"""

import argparse
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from PIL import Image

from fer_data.synthetic.faces import draw_face
from fer_models.detection.face_detector import FaceFinder
from fer_models.inference.calibrated_model import CalibratedModel
from fer_models.inference.model_store import open_model
from fer_models.inference.videos.tracking import SMOOTHING_SECONDS, Tracker
from fer_models.inference.videos.video import read_video

WIDTH, HEIGHT, RATE = 640, 480, 25
SECONDS_EACH, BLEND_SECONDS = 2.0, 0.4
NOISE = 9.0


def drawn_clip(expressions: tuple[str, ...], *, seconds: float, seed: int) -> list[np.ndarray]:
    """The frames, uint8 (480, 640, 3)."""
    generator = np.random.default_rng(seed)
    order = [str(one) for one in generator.permutation(expressions)]
    # From equal states comes the same person in the same light, whatever the expression.
    faces = [draw_face(one, np.random.default_rng(seed)).astype(np.float32) for one in order]
    few = Image.fromarray(generator.integers(40, 200, (4, 5, 3), np.uint8))
    room = np.asarray(few.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32)
    frames: list[np.ndarray] = []
    for number in range(round(seconds * RATE)):
        moment = number / RATE
        turn, since = divmod(moment, SECONDS_EACH)
        now, before = faces[int(turn) % len(faces)], faces[int(turn - 1) % len(faces)]
        share = min(since / BLEND_SECONDS, 1.0) if turn else 1.0
        face = Image.fromarray((share * now + (1 - share) * before).astype(np.uint8))
        side = round(190 + 40 * np.sin(moment))
        large = face.resize((side, side), Image.Resampling.BICUBIC)
        large = large.rotate(7 * np.sin(1.7 * moment), Image.Resampling.BICUBIC, fillcolor=90)
        left = round((WIDTH - side) * (0.5 + 0.4 * np.sin(0.6 * moment)))
        top = round((HEIGHT - side) * (0.5 + 0.3 * np.sin(0.9 * moment)))
        frame = room.copy()
        frame[top : top + side, left : left + side] = np.asarray(large)[..., np.newaxis]
        frame *= 1 + 0.15 * np.sin(2.3 * moment)
        frame += generator.normal(scale=NOISE, size=frame.shape).astype(np.float32)
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
    return frames


def write_clip(frames: list[np.ndarray], file: Path) -> None:
    """Writes frames as an MP4 file."""
    with av.open(str(file), "w") as target:
        stream = target.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in frames:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        target.mux(stream.encode())


def labels_of(frames: list[np.ndarray], tracker: Tracker) -> list[int]:
    """The label shown in each frame; that of the frame before where no face was found."""
    labels: list[int] = []
    for number, frame in enumerate(frames):
        faces = tracker.step(frame, seconds=number / RATE)
        if faces or labels:
            labels.append(int(faces[0].probabilities.argmax()) if faces else labels[-1])
    return labels


def flicker(labels: list[int], frames: list[np.ndarray]) -> int:
    """How often the label changed, beyond the changes that the clip has."""
    changes = int(np.count_nonzero(np.diff(labels)))
    return max(changes - (len(frames) - 1) // round(RATE * SECONDS_EACH), 0)


def main() -> None:
    """Prints times and changes of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path())
    parser.add_argument("--model", default="scratch")
    parser.add_argument("--seconds", type=float, default=24)
    parser.add_argument("--clips", type=int, default=4)
    flags = parser.parse_args()
    predictor = open_model(flags.model, workspace=flags.workspace)
    finder = FaceFinder()
    # Networks are loaded and traced at their first frames.
    warm = drawn_clip(predictor.expressions, seconds=1, seed=99)
    labels_of(warm, Tracker(finder, predictor))
    before = after = num_seen = 0
    frames: list[np.ndarray] = []
    for seed in range(flags.clips):
        frames = drawn_clip(predictor.expressions, seconds=flags.seconds, seed=seed)
        raw = labels_of(frames, Tracker(finder, predictor, smoothing_seconds=0))
        smooth = labels_of(frames, Tracker(finder, predictor))
        before, after = before + flicker(raw, frames), after + flicker(smooth, frames)
        num_seen += len(smooth)
    print(
        f"{flags.clips} clips of {flags.seconds:.0f} s, {num_seen} frames: {before} needless changes of "
        f"label without smoothing, {after} with {SMOOTHING_SECONDS} s"
    )
    _print_speed(frames, finder, predictor)


def _print_speed(frames: list[np.ndarray], finder: FaceFinder, predictor: CalibratedModel) -> None:
    for name in ("faces and labels", "whole verb, video to video"):
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "clip.mp4"
            write_clip(frames, clip)
            tracker = Tracker(finder, predictor)
            wall, busy = time.perf_counter(), time.process_time()
            if name.startswith("faces"):
                labels_of(frames, tracker)
            else:
                video, table = clip.with_name("video.mp4"), clip.with_name("faces.csv")
                read_video(clip, tracker, video=video, table=table, progress=lambda *_: None)
            wall, busy = time.perf_counter() - wall, time.process_time() - busy
        print(
            f"{name:<26}{len(frames) / wall:6.1f} frames a second, "
            f"{1000 * busy / len(frames):.1f} ms of processor time a frame"
        )


if __name__ == "__main__":
    main()
