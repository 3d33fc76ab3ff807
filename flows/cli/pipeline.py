"""Commands on the pipeline: `init`, `demo`, `run`, `serve`, `preset`, `upgrade`."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.options import NumFaces, Seed, Workspace, require_workspace

PANEL = "Pipeline"
app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow init faces")
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder to make, or an empty one.")
    ],
) -> None:
    """Make a workspace: the stages, their settings, git and DVC, and no data."""
    from flows.workspace.create import make_workspace

    make_workspace(folder, overrides={})
    print(f"{folder} is a workspace: `cd {folder}`, `ferflow add path/to/archive.zip`, `dvc repro`")


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow demo --workspace path/to/new-folder")
def demo(
    faces: NumFaces = 3000,
    seed: Seed = 0,
    models: Annotated[
        Literal["fast", "all"],
        typer.Option(help="Those that learn from nothing in seconds, or all of them."),
    ] = "fast",
    workspace: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A folder to make.", show_default="a temporary one"),
    ] = None,
) -> None:
    """Run the whole pipeline on an archive of drawn faces."""
    import tempfile
    import time

    from rich.console import Console

    from fer_data.synthetic.drawn_archive import write_sample
    from flows.commands import demo, demo_review
    from flows.workspace import client, create, overrides, template

    console = Console()
    started = time.monotonic()
    client.check_dvc()
    demo.check_size(faces)
    if workspace:
        create.check_new(workspace)  # before any work
    folder = workspace or Path(tempfile.mkdtemp(prefix="ferflow-demo-"))
    preset = overrides.read_preset("demo", folder=template.project_root())
    settings = demo.settings_of(preset, all_models=models == "all")
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "archive.zip"
        planted = write_sample(archive, num_faces=faces, seed=seed)
        create.make_workspace(folder, archive=archive, overrides=settings)
    planted.to_csv(folder / "archive.planted.csv", index=False)  # for `ferflow simulate-review`
    console.print(f"Drew {faces} faces; running the stages in {folder}:", soft_wrap=True)
    demo.run_stages(folder, console=console)
    demo.show_results(folder, planted, console=console)
    if models == "fast":
        names = ", ".join(demo.left_out(preset))
        left_out = f"Left out: {names}. `ferflow demo --models all` trains them, too."
        console.print(left_out, soft_wrap=True)
    console.print(f"All in {time.monotonic() - started:.0f} s.", highlight=False)
    started = time.monotonic()
    demo_review.decide_and_rerun(folder, planted, model=demo_review.MODEL, console=console)
    console.print(f"That took {time.monotonic() - started:.0f} s.", highlight=False)
    demo.show_next(folder, console=console)


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow run --set models.scratch.epochs=5")
def run(
    executor: Annotated[
        Literal["local", "ray"], typer.Option(help="Where the stages run.")
    ] = "local",
    models: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="With commas between them.", show_default="all"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting to replace, for an experiment in a clone; may be given several times.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Publish as the latest, even where a model is worse.")
    ] = False,
    workspace: Workspace = Path(),
) -> None:
    """Rebuild what changed, by the Prefect flow."""
    require_workspace(workspace)
    os.chdir(workspace)  # before Prefect is imported, which reads its settings from there

    from flows.pipeline.flow import run_flow

    run_flow(
        executor=executor,
        models=models.split(",") if models else None,
        assignments=set_ or [],
        force=force,
    )


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow serve --port 4201")
def serve(
    port: Annotated[int, typer.Option(metavar="PORT", help="Of server and UI.")] = 4200,
    workspace: Workspace = Path(),
) -> None:
    """Serve the flow: Prefect's server, schedule and worker on this machine."""
    require_workspace(workspace)
    os.chdir(workspace)  # before Prefect is imported, which reads its settings from there

    from flows.pipeline.serve import serve_until_interrupted

    serve_until_interrupted(port=port)


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow preset scratch_tuned")
def preset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as cpu or scratch_tuned.")],
    workspace: Workspace = Path(),
) -> None:
    """Set the settings of a preset in params.yaml."""
    from flows.workspace.overrides import apply_overrides, read_preset

    changes = apply_overrides(read_preset(name, folder=workspace), folder=workspace)
    print("\n".join(changes) or f"params.yaml holds the settings of '{name}' already")


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow upgrade")
def upgrade(workspace: Workspace = Path()) -> None:
    """Rewrite the params.yaml of an earlier version."""
    from flows.commands.upgrade import upgrade

    print("\n".join(upgrade(workspace)) or "params.yaml has the names of this version already")
