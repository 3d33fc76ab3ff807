"""Adds a dataset: shows what it is taken for, writes it as the archive, sets the classes."""

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_data.annotation.decision_log import read_decisions
from fer_data.core.catalog import dependency
from fer_data.core.errors import shown
from fer_data.core.files import atomic_write
from fer_data.core.schema import DECISION, GIVEN_LABEL, GIVEN_VALIDATION, ORIGINAL_SPLITS, TESTING
from fer_data.ingestion.canonical_archive import (
    Written,
    cell_of,
    is_canonical,
    write_canonical,
    write_mapping,
)
from fer_data.ingestion.class_meanings import Choices, is_number
from fer_data.ingestion.datasets import open_dataset
from fer_data.ingestion.ingest_settings import IngestSettings
from fer_data.ingestion.layouts import LeftOut, Recognized, recognize
from fer_data.ingestion.zip_archive import Limits
from fer_data.splitting.split_settings import SplitSettings
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings, settings_from
from fer_models.reporting.report_settings import ReportSettings
from flows.workspace.create import ARCHIVE, MAPPING, add_archive
from flows.workspace.overrides import apply_overrides


def add_dataset(
    path: Path, *, choices: Choices, dry_run: bool, folder: Path = Path(), console: Console
) -> None:
    """Puts a dataset into a workspace, as the archive that `ingest` reads, versioned by DVC.

    An archive that `ingest` reads already is copied byte for byte. The classes found become
    `data.expressions`.

    Args:
        path: A folder, a zip, a tar or a CSV; left as it is.
        choices: What the person says about it.
        dry_run: Whether to show what it is taken for, and no more.
        folder: The workspace.
        console: Where to print.

    Raises:
        UserError: As `open_dataset`, `recognize`, `write_canonical` and `add_archive`; the workspace is
            as it was.
    """
    file = folder / PARAMS_FILE
    data = read_settings(DataSettings, "data", file=file)
    settings = read_settings(IngestSettings, "ingest", file=file)
    limits = Limits(**settings.model_dump(include=set(Limits.__dataclass_fields__)))
    with open_dataset(path, limits) as dataset, tempfile.TemporaryDirectory() as scratch:
        with console.status(f"Reading {path}"):
            recognized = recognize(dataset, expressions=data.expressions, choices=choices)
            changes = _settings_for(recognized, data, folder=folder)
            archive, written = path, Written(Counter(map(cell_of, recognized.faces)))
            if not is_canonical(dataset, recognized):
                archive = Path(scratch) / ARCHIVE.name
                written = write_canonical(
                    *(dataset, recognized, None if dry_run else archive),
                    max_rejected_fraction=settings.max_rejected_fraction,
                )
        _say(console, f"{path}: taken for {recognized.layout.name}")
        console.print(_faces(written))
        if left_out := [*recognized.left_out, *written.left_out]:
            console.print(_left_out(left_out))
        test_fraction = read_settings(SplitSettings, "split", file=file).test_fraction
        for note in (
            *_twice(recognized),
            *_notes(written, resize=settings.resize, test_fraction=test_fraction),
        ):
            _say(console, f"Note: {note}", style="bold")
        if dry_run:
            console.print("Nothing was written (--dry-run).")
            return
        words = add_archive(archive, folder=folder, called=path)
        (folder / MAPPING).unlink(missing_ok=True)
        if archive != path:
            with atomic_write(folder / MAPPING) as beside:
                write_mapping(recognized, written, beside)
            words += f"; {folder / MAPPING} says what became of its names"
    _say(console, words)
    for words in apply_overrides(changes, folder=folder) if changes else []:
        _say(console, f"{PARAMS_FILE}: {words}")


def _settings_for(recognized: Recognized, data: DataSettings, *, folder: Path) -> dict[str, Any]:
    """The settings that other classes change; none where the classes are those of the workspace."""
    expressions = recognized.expressions
    if expressions == data.expressions:
        return {}
    section: dict[str, Any] = {"expressions": list(expressions)}
    decided = _decided_classes(data, folder=folder)
    retired = [
        *(name for name in data.retired_expressions if name not in expressions),
        *(name for name in data.expressions if name in decided and name not in expressions),
    ]
    if retired != list(data.retired_expressions):
        section["retired_expressions"] = retired
    # Checked before anything is written: a class needs a name that settings allow.
    settings_from(
        {"data": {**data.model_dump(), **section}}, DataSettings, "data", file=folder / PARAMS_FILE
    )
    report = read_settings(ReportSettings, "report", file=folder / PARAMS_FILE)
    # Measured of other classes.
    spreads = {name: {"accuracy": None} for name, one in report.seed_spread.items() if one}
    return {"data": section, **({"report": {"seed_spread": spreads}} if spreads else {})}


def _decided_classes(data: DataSettings, *, folder: Path) -> set[str]:
    """The classes that decisions in the workspace name, which must stay known."""
    names: set[str] = set()
    for stage in ("rebalance", "crossval"):
        file = dependency(stage, "relabels.csv", workspace=folder)
        if file.exists():
            log = read_decisions(file, expressions=data.known_expressions)
            names |= {*log[DECISION], *log[GIVEN_LABEL]}
    return names


def _say(console: Console, words: str, **options: Any) -> None:
    """Prints a line as it is, in one piece."""
    console.print(_plain(words), soft_wrap=True, highlight=False, **options)


def _plain(text: str) -> Text:
    """A text of a dataset, in which brackets are no markup and nothing steers the terminal."""
    return Text(shown(text))


def _faces(written: Written) -> Table:
    """Faces by class of the dataset, and by its split."""
    splits = sorted(
        {(split, meant) for split, _, meant, _ in written.taken},
        key=lambda pair: (ORIGINAL_SPLITS.index(pair[1]), pair[0]),
    )
    table = Table("in the dataset", "class")
    for split, meant in splits:
        table.add_column(_plain(f"{split or 'no split'}\n→ {meant.title()}"), justify="right")
    # Numbers by what they count, as people check them.
    named = sorted(
        {(label, meant) for _, label, _, meant in written.taken},
        key=lambda pair: (
            pair[0].rjust(9, "0") if is_number(pair[0]) else pair[0].casefold(),
            pair,
        ),
    )
    for label, meant in named:
        counts = [written.taken[split, label, original, meant] for split, original in splits]
        table.add_row(_plain(label), meant, *(f"{count:,}" if count else "" for count in counts))
    table.add_section()
    sums = [
        sum(count for cell, count in written.taken.items() if (cell[0], cell[2]) == pair)
        for pair in splits
    ]
    table.add_row("all", "", *(f"{count:,}" for count in sums))
    return table


def _left_out(left_out: Iterable[LeftOut]) -> Table:
    table = Table("left out", "why", "such as")
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for one in left_out:
        counts[one.reason] += 1
        first.setdefault(one.reason, one.source)
    for reason, count in counts.most_common():
        table.add_row(f"{count:,}", _plain(reason), _plain(first[reason]))
    return table


def _twice(recognized: Recognized) -> Iterable[str]:
    """Says where a class has several folders in a split, as in zips that hold everything twice."""
    folders: dict[tuple[str, str], set[str]] = {}
    for face in recognized.faces:
        if face.found.row is None and "CLASS" in recognized.layout.name:
            folder = face.found.member.path.rpartition("/")[0]
            folders.setdefault((face.found.split, face.label), set()).add(folder)
    for (split, label), names in sorted(folders.items()):
        if len(names) > 1:
            shown_names = ", ".join(sorted(names)[:3])
            yield (
                f"{split or 'no split'} has {label} in {len(names)} folders ({shown_names}): if they "
                "hold the same faces, add one folder alone"
            )
            return


def _notes(written: Written, *, resize: bool, test_fraction: float) -> Iterable[str]:
    """What the person should know before the stages run."""
    cells = {(original, label) for _, _, original, label in written.taken}
    present = [split for split in ORIGINAL_SPLITS if any(split == one for one, _ in cells)]
    labels = sorted({label for _, label in cells})
    if TESTING not in present:
        yield (
            f"there is no folder of Testing: the stage `split` draws {test_fraction:.0%} of Training as "
            "`test`, by groups of duplicates and evenly over the classes (`split.test_fraction`)"
        )
    if GIVEN_VALIDATION in present:
        yield (
            "Validation becomes `validation` as it is: its duplicates are kept out of `train`, and "
            "`split.validation_fraction` does not count"
        )
    for split in present:
        missing = [label for label in labels if (split, label) not in cells]
        if missing:
            yield (
                f"{split.title()} has no face of {', '.join(missing)}: `ingest` will stop; "
                f"`--skip {missing[0]}` leaves the class out"
            )
    if written.sizes:
        number, (size, most) = written.sizes.total(), written.sizes.most_common(1)[0]
        refused = "`ingest` refuses them, unless params.yaml says `ingest.resize: true`"
        then = "`ingest` resizes them" if resize else refused
        yield f"{number:,} images are not 48x48 ({most:,} are {size}): {then}"
    if written.num_color:
        yield f"{written.num_color:,} images are in color: they become gray"
    if written.refused:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in written.refused.most_common(3))
        yield f"{written.refused.total():,} images cannot be read ({kinds}): `ingest` refuses them"
