"""Predicts the expressions in a video, and writes an annotated video and a table."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_data.core.errors import UserError
from fer_data.core.files import atomic_write
from fer_data.core.own_files import refuse_foreign
from fer_models.detection.images import MOST_PIXELS
from fer_models.inference.videos.tracking import TrackedFace, Tracker

COLUMNS = ("frame", "seconds", "face", "left", "top", "width", "height", "confidence", "expression")
"""Of the table, before a column for each expression's probability."""

_RATE = Fraction(25)
_CODEC, _OPTIONS = "libx264", {"preset": "veryfast", "crf": "23"}
_LINE = (255, 214, 10)
_LEAST_SIDE = 16  # below it, there is no face, and H.264 has no block
_MOST_HEADER = 10_000  # characters
_LETTERS = 24  # of the image's height


def read_video(
    clip: Path,
    tracker: Tracker,
    *,
    video: Path,
    table: Path,
    progress: Callable[[int, int], None],
) -> int:
    """Tracks the faces of a clip.

    Args:
        clip: The video, in any format that FFmpeg reads; the output has no sound.
        tracker: Tracks the faces; it must have seen nothing yet.
        video: The annotated video to write, MP4 (H.264).
        table: The CSV file to write: one row a face of a frame.
        progress: Called after each frame, with how many are done and how many there are, 0 if the
            clip does not say.

    Returns:
        How many frames there were.

    Raises:
        UserError: The clip cannot be read, has no image, is too narrow or huge, or ends early; the
            video cannot be encoded; or something else is there already. Nothing is written then.
    """
    if clip.resolve() in (video.resolve(), table.resolve()):
        raise UserError(f"{clip} would be overwritten: choose another folder with `--output`")
    # Both are written together; the video alone does not show that it is ours.
    for file, is_own in (
        (table, _is_table),
        (video, lambda file: _is_mp4(file) and table.exists()),
    ):
        refuse_foreign(file, is_own=is_own, command="ferflow predict")
    expressions = tracker.expressions
    with (
        atomic_write(video) as unfinished,
        atomic_write(table) as rows,
        _opened(clip) as (source, total),
        rows.open("w", encoding="utf-8", newline="") as opened,
        unfinished.open("wb") as encoded,
        av.open(encoded, "w", format="mp4") as target,
    ):
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow([*COLUMNS, *expressions])
        stream: Any = None
        number = 0
        for number, (image, seconds, rate) in enumerate(_frames(source, clip), 1):
            faces = tracker.step(image, seconds=seconds)
            writer.writerows(_rows(number, seconds, faces, expressions))
            if stream is None:
                stream = _new_stream(target, image, rate)
            shown = av.VideoFrame.from_ndarray(drawn_on(image, faces, expressions), "rgb24")
            shown.pts, shown.time_base = round(seconds * 90_000), Fraction(1, 90_000)
            _encode(stream, shown, target, video)
            progress(number, total)
        if stream is None:
            raise UserError(f"{clip} holds no image that can be read")
        _encode(stream, None, target, video)
    return number


def _is_table(file: Path) -> bool:
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        header = next(csv.reader([lines.readline(_MOST_HEADER)]), [])
    return tuple(header[: len(COLUMNS)]) == COLUMNS


def _is_mp4(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(8)[4:] == b"ftyp"


def drawn_on(
    image: np.ndarray, faces: list[TrackedFace], expressions: tuple[str, ...]
) -> np.ndarray:
    """A frame, uint8 (H, W, 3), with its faces outlined and what they express; a copy."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    size = max(image.shape[0] // _LETTERS, 10)
    font, line = ImageFont.load_default(size), max(size // 8, 1)
    for tracked in faces:
        left, top, width, height = tracked.face.box
        draw.rectangle((left, top, left + width, top + height), outline=_LINE, width=line)
        best = tracked.probabilities.argmax()
        text = f"{tracked.number} {expressions[best]} {100 * tracked.probabilities[best]:.0f} %"
        corner = left, max(top - size - 2 * line, 0)
        draw.rectangle(draw.textbbox(corner, text, font=font), fill=_LINE)
        draw.text(corner, text, fill="black", font=font)
    return np.asarray(canvas)


@contextmanager
def _opened(clip: Path) -> Iterator[tuple[Any, int]]:
    """The clip's container and how many frames it says it has, 0 if it does not."""
    try:
        file = clip.open("rb")
    except OSError as error:
        raise UserError(f"{clip}: {error.strerror}") from None
    with file, _container(file, clip) as container:
        if not container.streams.video:
            raise UserError(f"{clip} has no image, only sound")
        stream = container.streams.video[0]
        if stream.width and stream.height:
            _check_size(clip, stream.width, stream.height)
        stream.thread_type = "AUTO"
        yield container, stream.frames


def _container(file: BinaryIO, clip: Path) -> Any:
    """FFmpeg's reader of an open file, and of no other.

    FFmpeg takes names for addresses, and a playlist names any file of this machine and any server.
    """
    try:
        return av.open(file, container_options={"protocol_whitelist": "none"})
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{clip} is no video that can be read: {error.strerror}") from None


def _frames(container: Any, clip: Path) -> Iterator[tuple[np.ndarray, float, Fraction]]:
    """The frames, upright, of even sides, with their seconds and the frames a second."""
    rate = container.streams.video[0].average_rate or _RATE
    last = -1.0
    try:
        for number, frame in enumerate(container.decode(video=0)):
            image = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
            height, width = image.shape[:2]
            _check_size(clip, width, height)
            # Times that are missing or run backwards, as in damaged clips, are made up.
            seconds = number / float(rate) if frame.time is None else frame.time
            last = max(seconds, last + 1e-3)
            # H.264 halves the colors' resolution.
            even = image[: height // 2 * 2, : width // 2 * 2]
            yield np.ascontiguousarray(even), last, rate
    except av.FFmpegError as error:
        raise UserError(f"{clip} is damaged: {error.strerror}") from None


def _check_size(clip: Path, width: int, height: int) -> None:
    if min(width, height) < _LEAST_SIDE or width * height > MOST_PIXELS:
        raise UserError(
            f"{clip} is {width}x{height} pixels: expected sides of {_LEAST_SIDE} or more, and at most "
            f"{MOST_PIXELS // 10**6} million pixels"
        )


def _encode(stream: Any, frame: av.VideoFrame | None, target: Any, video: Path) -> None:
    """Encodes a frame, or what is left of those before."""
    try:
        target.mux(stream.encode(frame))
    except av.FFmpegError as error:
        raise UserError(f"{video} cannot be written: {error.strerror}") from None


def _new_stream(target: Any, image: np.ndarray, rate: Fraction) -> Any:
    stream = target.add_stream(_CODEC, rate=rate, options=_OPTIONS)
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, 90_000)
    return stream


def _rows(
    number: int, seconds: float, faces: list[TrackedFace], expressions: tuple[str, ...]
) -> Iterator[list[Any]]:
    for tracked in faces:
        expression = expressions[tracked.probabilities.argmax()]
        yield [
            number,
            f"{seconds:.3f}",
            tracked.number,
            *tracked.face.box,
            f"{tracked.face.confidence:.4f}",
            expression,
            *(f"{one:.4f}" for one in tracked.probabilities),
        ]
