"""Commands on archives: `add`, `sample`, `compare`, `accept-baseline`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AcceptedBy, NumFaces, Seed, Workspace, check_workspace

PANEL = "Data"
app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow add path/to/archive.zip")
def add(
    archive: Annotated[
        Path, typer.Argument(metavar="ARCHIVE", help="The archive.zip to copy; left as it is.")
    ],
    workspace: Workspace = Path(),
) -> None:
    """Put an archive into the workspace, versioned by DVC."""
    check_workspace(workspace)

    from flows.workspace.create import add_archive

    print(add_archive(archive, folder=workspace))


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
