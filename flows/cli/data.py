"""Commands on archives: `add`, `sample`, `compare`, `accept-baseline`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.options import AcceptedBy, NumFaces, Seed, Workspace, check_workspace

PANEL = "Data"
app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow add path/to/archive.zip --dry-run")
def add(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A folder, zip, tar.gz or CSV of faces; left as it is."
        ),
    ],
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="What names or numbers of classes mean: fer2013, raf-db, or NAME=CLASS,NAME=CLASS.",
            show_default=False,
        ),
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="A class to leave out; may be given several times.",
            show_default=False,
        ),
    ] = None,
    public_test: Annotated[
        Literal["testing", "validation"],
        typer.Option(help="What FER2013's PublicTest is; PrivateTest is testing in any case."),
    ] = "testing",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it is taken for, and write nothing.")
    ] = False,
    workspace: Workspace = Path(),
) -> None:
    """Put a dataset into the workspace as its archive, versioned by DVC, and set the classes."""
    check_workspace(workspace)

    from rich.console import Console

    from fer_data.ingestion.class_meanings import Choices, classes_of
    from flows.commands.add import add_dataset

    choices = Choices(classes_of(classes) if classes else {}, tuple(skip or ()), public_test)
    add_dataset(path, choices=choices, dry_run=dry_run, folder=workspace, console=Console())


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow sample faces.zip --faces 500")
def sample(
    archive: Annotated[
        Path | None,
        typer.Argument(
            metavar="ARCHIVE",
            help="The file to write.",
            show_default="archive.zip in the workspace",
        ),
    ] = None,
    faces: NumFaces = 3000,
    seed: Seed = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that it did not draw.")
    ] = False,
    workspace: Workspace = Path(),
) -> None:
    """Draw an archive of faces with planted errors, and the key to them."""
    from fer_data.synthetic.drawn_archive_files import draw_sample

    target = archive or workspace / "archive.zip"
    planted, key = draw_sample(target, num_faces=faces, seed=seed, force=force)
    print(f"{faces} faces -> {target}; {len(planted)} planted errors -> {key}")


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow compare path/to/old-workspace .")
def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A manifest.parquet, or a workspace.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Likewise.")],
    workspace: Workspace = Path(),
) -> None:
    """Show what has changed from an archive to the next."""
    check_workspace(workspace)

    from rich.console import Console

    from fer_data.stages.settings import PARAMS_FILE, read_settings
    from fer_data.validation.validate import ValidateSettings
    from flows.commands.compare import show_comparison

    settings = read_settings(ValidateSettings, "validate", file=workspace / PARAMS_FILE)
    show_comparison(old, new, max_drift=settings.max_drift, console=Console())


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow accept-baseline --by Ann")
def accept_baseline(by: AcceptedBy, workspace: Workspace = Path()) -> None:
    """Accept this archive's counts, brightness and contrast for the next one to be compared with."""
    check_workspace(workspace)

    from flows.commands.accept import accept_baseline

    print(accept_baseline(by=by, folder=workspace))
