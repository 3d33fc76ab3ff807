"""Predicts the expressions of images and videos, for `ferflow predict`."""

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from fer_data.core.errors import UserError
from fer_models.detection.face_detector import FaceFinder
from fer_models.inference.image_predictions import read_expressions
from fer_models.inference.input_paths import (
    FACES_TABLE,
    FACES_VIDEO,
    is_video,
    named_files,
    on_screen,
)
from fer_models.inference.model_store import open_model
from fer_models.inference.videos.tracking import Tracker
from fer_models.inference.videos.video import read_video
from fer_models.inference.writers import WRITERS


def predict(
    words: list[str],
    *,
    model: str | None,
    bundle: Path | None,
    form: str,
    whole_images: bool,
    folder: Path | None,
    trusted: bool = False,
    workspace: Path = Path(),
) -> int:
    """Predicts the expressions of the faces in images and videos.

    Args:
        words: What `named_files` takes.
        model: What `open_model` takes.
        bundle: Where the models come from, if not from the workspace.
        form: One of `WRITERS`: how the rows of images are written, on standard output.
        whole_images: Whether an image in which no face is found is taken for one.
        folder: Where videos and their tables go; by default beside each clip.
        trusted: Whether whoever made the model may run code here, as a SavedModel can.
        workspace: Where the models lie.

    Returns:
        How many files could not be read. Each is a line on standard error, and does not stop the rest.

    Raises:
        UserError: The model is missing or broken.
    """
    predictor = open_model(model, workspace=workspace, bundle=bundle, trusted=trusted)
    finder, console = FaceFinder(), Console(stderr=True, highlight=False, soft_wrap=True)

    def say(line: str) -> None:
        console.print(on_screen(line), markup=False)

    errors: list[str] = []

    def report(line: str) -> None:
        errors.append(line)
        say(line)

    clips, images = [], []
    for file in named_files(words, leave_out=say):
        (clips if is_video(file) else images).append(file)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # For programs, UTF-8 whatever the terminal; to people, what it lacks is escaped.
        encoding = sys.stdout.encoding if form == "table" else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    if images:
        rows = read_expressions(images, finder, predictor, whole_images=whole_images, report=report)
        WRITERS[form](rows, predictor.expressions, sys.stdout)
    taken = {clip.resolve(): clip for clip in clips}
    for clip in taken.copy().values():
        targets = _targets(clip, folder)
        other = next((taken[file.resolve()] for file in targets if file.resolve() in taken), None)
        if other is not None:
            what = "that" if other in targets else f"what {other} gave"
            report(f"{clip} is left out: {targets[0]} would overwrite {what}; name one differently")
            continue
        try:
            _read_clip(clip, targets, Tracker(finder, predictor), console=console)
        except UserError as error:
            report(str(error))
        else:
            taken |= {file.resolve(): clip for file in targets}
    return len(errors)


def _targets(clip: Path, folder: Path | None) -> tuple[Path, Path]:
    """The annotated video, and the table."""
    place = folder or clip.parent
    return place / f"{clip.stem}{FACES_VIDEO}", place / f"{clip.stem}{FACES_TABLE}"


def _read_clip(
    clip: Path, targets: tuple[Path, Path], tracker: Tracker, *, console: Console
) -> None:
    video, table = targets
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(escape(on_screen(clip.name)), total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        num_frames = read_video(clip, tracker, video=video, table=table, progress=progress)
    line = f"{clip}: {num_frames} frames -> {video}, {table}, by the model {tracker.model}"
    console.print(on_screen(line), markup=False)
