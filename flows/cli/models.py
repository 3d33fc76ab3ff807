"""Commands on models: `predict`, `app`, `export`, `bundle`, `set-weights`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.options import AllowedHosts, Bundle, Port, Workspace, check_workspace
from flows.cli.serving import until_interrupted

PANEL = "Models"
app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow predict images/ clip.mp4")
def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Images, videos, folders, patterns; - for a list of paths on standard input.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A name, such as scratch or pretrained, or the path of a model's file.",
            show_default="the best on validation, or pretrained",
        ),
    ] = None,
    bundle: Bundle = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a model that can run code (a .saved_model).")
    ] = False,
    form: Annotated[
        Literal["table", "csv", "jsonl"], typer.Option("--format", help="How rows are written.")
    ] = "table",
    whole_images: Annotated[
        bool, typer.Option("--whole-images", help="Take an image without a face for one.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where annotated videos go.", show_default="beside each"
        ),
    ] = None,
    workspace: Workspace = Path(),
) -> None:
    """Predict the expressions of the faces in images and videos."""
    from fer_models.inference.predict import predict

    num_failed = predict(
        paths,
        model=model,
        bundle=bundle,
        form=form,
        whole_images=whole_images,
        folder=output,
        trusted=trust,
        workspace=workspace,
    )
    if num_failed:
        sys.exit(f"error: {num_failed} of the files could not be read")


@app.command(
    "app", rich_help_panel=PANEL, epilog="Example: ferflow app --bundle ferflow-bundle.zip"
)
def open_demo_app(
    bundle: Bundle = None,
    port: Port = None,
    allow_host: AllowedHosts = None,
    workspace: Workspace = Path(),
) -> None:
    """Open the demo app, which predicts the expressions of the faces in an image."""
    from fer_data.web.loopback import exempt_loopback

    exempt_loopback()  # before Gradio is imported, which stumbles at a SOCKS proxy

    from fer_models.app.server import open_app
    from fer_models.inference.model_store import open_model_store

    store = open_model_store(workspace=workspace, bundle=bundle)
    until_interrupted(
        "The app",
        lambda: open_app(store, port=port, allow_hosts=allow_host or []),
        farewell=lambda: ["Ended; no image was kept."],
    )


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow export scratch --format onnx")
def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A name, such as scratch, or a .keras file.")
    ],
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="onnx, litert or saved_model.")
    ],
    int8: Annotated[bool, typer.Option("--int8", help="With 8 bits (litert).")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The file to write.", show_default="MODEL.onnx or the like"
        ),
    ] = None,
    workspace: Workspace = Path(),
) -> None:
    """Turn a model into a file for other programs."""
    from flows.commands.export_stored import export_stored

    print(export_stored(model, form=form, int8=int8, target=output, workspace=workspace))


@app.command(
    rich_help_panel=PANEL, epilog="Example: ferflow bundle scratch ensemble --output two.zip"
)
def bundle(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL", help="Names.", show_default="all that there are"),
    ] = None,
    output: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")] = Path(
        "ferflow-bundle.zip"
    ),
    half: Annotated[
        bool, typer.Option("--half", help="With kernels in half precision: half as large.")
    ] = False,
    workspace: Workspace = Path(),
) -> None:
    """Pack models into one file, to take them along."""
    from fer_models.inference.bundle import pack_workspace
    from flows.workspace.client import revision

    lines = pack_workspace(workspace, models or [], output, revision=revision(workspace), half=half)
    for line in lines:
        print(line)


@app.command(
    rich_help_panel=PANEL,
    epilog="Example: ferflow set-weights mobilenetv2 path/to/mobilenetv2.weights.h5",
)
def set_weights(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Such as mobilenetv2.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to copy.")],
    workspace: Workspace = Path(),
) -> None:
    """Let a model start from a file of weights."""
    check_workspace(workspace)

    from flows.workspace.create import add_weights

    print(add_weights(model, file, folder=workspace))
