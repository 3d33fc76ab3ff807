"""Options that several commands share, and the check of settings before a command's work."""

from pathlib import Path
from typing import Annotated

import typer

Workspace = Annotated[
    Path, typer.Option(metavar="FOLDER", help="The workspace.", show_default="this folder")
]
Bundle = Annotated[Path | None, typer.Option(metavar="FILE", help="Take the models from a bundle.")]
Port = Annotated[
    int | None,
    typer.Option(metavar="PORT", help="The page's port.", show_default="first free from 7860"),
]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST",
        help="A name under which a proxy shows the page; may be given several times.",
        show_default=False,
    ),
]
AcceptedBy = Annotated[str, typer.Option("--by", metavar="NAME", help="Who accepts.")]
NumFaces = Annotated[int, typer.Option("--faces", metavar="NUMBER", help="Faces to draw.")]
Seed = Annotated[int, typer.Option(metavar="NUMBER", help="Seed of the drawing.")]


def require_workspace(workspace: Path) -> None:
    """Refuses a folder without a graph, before a command starts servers in it.

    Raises:
        UserError: There is no `dvc.yaml`, or it has no stages.
    """
    from fer_data.core.catalog import stages_in

    stages_in(workspace)


def check_workspace(workspace: Path) -> None:
    """Checks all settings of a workspace, before a command that builds on them.

    Raises:
        UserError: A setting is wrong; a workspace without settings is left to the command.
    """
    from fer_data.stages.all_settings import check_settings
    from fer_data.stages.settings import PARAMS_FILE

    if (workspace / PARAMS_FILE).exists():
        check_settings(workspace, complete=False)
