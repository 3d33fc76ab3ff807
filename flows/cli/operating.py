"""Commands for who operates the pipeline: `publish`, `rollback`, `clean`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import Workspace, check_workspace, require_workspace

if TYPE_CHECKING:
    from flows.publishing.publish_settings import PublishSettings

PANEL = "Operating"
PLACE, CONFIGURED = "A folder, or a URL.", "publish.destination of params.yaml"
app = typer.Typer()


@app.command(
    rich_help_panel=PANEL, epilog="Example: ferflow publish s3://bucket/ferflow --run tuned"
)
def publish(
    destination: Annotated[
        str | None, typer.Argument(metavar="DESTINATION", help=PLACE, show_default=CONFIGURED)
    ] = None,
    run_name: Annotated[
        str | None,
        typer.Option("--run", metavar="NAME", help="The run's name.", show_default="the time"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make it the latest, even where a model is worse.")
    ] = False,
    workspace: Workspace = Path(),
) -> None:
    """Copy the reports to where others see them."""
    check_workspace(workspace)

    from fer_data.core.errors import UserError
    from flows.publishing.publish import name_by_time, publish

    settings = _settings(workspace, destination, typed="ferflow publish DESTINATION")
    published = publish(
        workspace, settings=settings, run_name=run_name or name_by_time(), force=force
    )
    for line in (*published.changes, *published.waiting):
        print(line)
    if not published.is_latest:
        raise UserError(f"{published.outcome}; --force makes it the latest")
    print(published.outcome)


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow rollback 2026-01-31T100000Z")
def rollback(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="A run's name.", show_default="lists the runs"),
    ] = None,
    destination: Annotated[
        str | None,
        typer.Option("--destination", metavar="DESTINATION", help=PLACE, show_default=CONFIGURED),
    ] = None,
    workspace: Workspace = Path(),
) -> None:
    """Make an earlier published run the latest again, or list the runs."""
    check_workspace(workspace)

    from rich.console import Console

    from flows.commands.rollback import roll_back, runs_table
    from flows.publishing.old_runs import stored_runs
    from flows.publishing.publish import destination_of

    typed = "ferflow rollback --destination DESTINATION"
    settings = _settings(workspace, destination, typed=typed)
    place = destination_of(settings, workspace=workspace)
    runs = stored_runs(place)
    if run is not None:
        print(roll_back(run, runs, destination=place))
        return
    if not any(one.record for one in runs):
        print(f"no run is published at {place.address}")
        return
    Console().print(runs_table(runs))
    print("`ferflow rollback RUN` makes one of them the latest")


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow clean --dry-run")
def clean(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and remove nothing.")
    ] = False,
    keep_days: Annotated[
        int | None,
        typer.Option(
            "--keep-days",
            metavar="DAYS",
            min=0,
            help="How long what nothing needs stays.",
            show_default="retention.keep_days of params.yaml",
        ),
    ] = None,
    workspace: Workspace = Path(),
) -> None:
    """Remove what nothing needs any more: old outputs, published runs, flow runs, leftovers."""
    require_workspace(workspace)
    check_workspace(workspace)
    os.chdir(workspace)  # before Prefect is imported, which reads its settings from there

    from flows.commands.clean_workspace import clean_workspace

    clean_workspace(Path.cwd(), is_dry=dry_run, keep_days=keep_days)


def _settings(workspace: Path, destination: str | None, *, typed: str) -> "PublishSettings":
    """The section `publish`, with the destination that was typed; `typed` is how one is."""
    from fer_data.core.errors import UserError
    from fer_data.stages.settings import PARAMS_FILE, read_settings
    from flows.publishing.publish_settings import PublishSettings

    settings = read_settings(PublishSettings, "publish", file=workspace / PARAMS_FILE)
    if destination:
        return settings.model_copy(update={"destination": destination})
    if settings.destination is None:
        raise UserError(
            f"publish.destination of {PARAMS_FILE} is null: set it to a folder, or to a URL such as "
            f"s3://bucket/ferflow; or name one here: `{typed}`"
        )
    return settings
