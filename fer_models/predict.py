"""The verb `ferflow predict`: pictures, films and a model in; rows and annotated films out."""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from fer_data.stage import UserError
from fer_models.faces import FaceFinder
from fer_models.films import read_film
from fer_models.named_files import is_film, named_files
from fer_models.picture_rows import read_expressions
from fer_models.row_formats import WRITERS
from fer_models.shelf import open_predictor
from fer_models.tracking import Tracker


def predict(
    words: list[str],
    *,
    model: str | None,
    bundle: Path | None,
    form: str,
    whole_pictures: bool,
    folder: Path | None,
    trusted: bool = False,
) -> int:
    """Says what the faces of pictures and films express.

    Args:
        words: What `named_files` takes.
        model: A model's name, a `.keras` file or an exported one; by default the model that is best on
            `validation`.
        bundle: Where the models come from, if not from this workspace.
        form: One of `WRITERS`: how the rows of pictures are written, on standard output.
        whole_pictures: Whether a picture in which no face is found is taken for one.
        folder: Where films and their tables go; by default beside each clip.
        trusted: Whether whoever made the model may run code here, as a SavedModel can.

    Returns:
        How many files could not be read. Each is a line on standard error, and does not stop the rest.

    Raises:
        UserError: The model is missing or broken.
    """
    predictor = open_predictor(model, bundle=bundle, trusted=trusted)
    finder, console = FaceFinder(), Console(stderr=True, highlight=False, soft_wrap=True)
    files = list(named_files(words))
    clips, pictures = [], []
    for file in files:
        (clips if is_film(file) else pictures).append(file)
    faults: list[str] = []

    def report(fault: str) -> None:
        faults.append(fault)
        console.print(fault, markup=False)

    if pictures:
        rows = read_expressions(
            pictures, finder, predictor, whole_pictures=whole_pictures, report=report
        )
        WRITERS[form](rows, predictor.expressions, sys.stdout)
    for clip in clips:
        try:
            _read_clip(clip, Tracker(finder, predictor), folder=folder, console=console)
        except UserError as error:
            report(str(error))
    return len(faults)


def _read_clip(clip: Path, tracker: Tracker, *, folder: Path | None, console: Console) -> None:
    place = folder or clip.parent
    film, table = place / f"{clip.stem}.faces.mp4", place / f"{clip.stem}.faces.csv"
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(clip.name, total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        num_frames = read_film(clip, tracker, film=film, table=table, progress=progress)
    console.print(f"{clip}: {num_frames} frames -> {film}, {table}", markup=False)
