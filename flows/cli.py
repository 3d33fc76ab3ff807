"""The `ferflow` command: one verb a task, which imports a room only when it is called."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from flows.grammar import make_parser


def main() -> None:
    """Parses the command line and runs its verb; a user's mistake is one line and exit code 1."""
    from fer_data.stage import UserError

    arguments = make_parser().parse_args()
    try:
        _RUNS[arguments.verb](arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _demo(arguments: argparse.Namespace) -> None:
    import tempfile
    import time

    from rich.console import Console

    from fer_data.sample import write_sample
    from flows import demo, profiles, workspace

    console = Console()
    started = time.monotonic()
    folder = arguments.workspace or Path(tempfile.mkdtemp(prefix="ferflow-demo-"))
    overlay = profiles.read_profile("demo", folder=workspace.project_root())
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "archive.zip"
        planted = write_sample(archive, num_faces=arguments.faces, seed=arguments.seed)
        workspace.make_workspace(folder, archive=archive, overlay=overlay)
    console.print(f"Drew {arguments.faces} faces; running the stages in {folder}:", soft_wrap=True)
    demo.run_stages(folder, console=console)
    demo.show_results(folder, planted, console=console)
    console.print(f"All in {time.monotonic() - started:.0f} s.", highlight=False)


def _sample(arguments: argparse.Namespace) -> None:
    from fer_data.sample import write_sample

    planted = write_sample(arguments.archive, num_faces=arguments.faces, seed=arguments.seed)
    key = arguments.archive.with_suffix(".planted.csv")
    planted.to_csv(key, index=False)
    print(f"{arguments.faces} faces -> {arguments.archive}; {len(planted)} planted faults -> {key}")


def _add(arguments: argparse.Namespace) -> None:
    from flows.workspace import add_archive

    print(add_archive(arguments.archive))


def _add_weights(arguments: argparse.Namespace) -> None:
    from flows.workspace import add_weights

    print(add_weights(arguments.model, arguments.file))


def _relabel(arguments: argparse.Namespace) -> None:
    from fer_data.desk import open_desk

    _serve(
        "The relabelling desk",
        lambda: open_desk(arguments.workspace, annotator=arguments.annotator, port=arguments.port),
        farewell="Ended; every decision was on the disk before the next face showed.",
    )


def _app(arguments: argparse.Namespace) -> None:
    from fer_models.app import open_app
    from fer_models.shelf import open_shelf

    shelf = open_shelf(workspace=arguments.workspace, bundle=arguments.bundle)
    _serve(
        "The app",
        lambda: open_app(shelf, port=arguments.port),
        farewell="Ended; no picture was kept.",
    )


def _serve(what: str, open_page: Callable[[], str], *, farewell: str) -> None:
    """Opens a page, says where, and waits until Ctrl-C ends it."""
    import signal
    import threading

    # Said outright, since a shell lets what it starts in the background ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        print(f"{what}: {open_page()} (Ctrl-C ends it)", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        print(f"\n{farewell}")


def _predict(arguments: argparse.Namespace) -> None:
    from fer_models.predict import predict

    num_failed = predict(
        arguments.paths,
        model=arguments.model,
        bundle=arguments.bundle,
        form=arguments.format,
        whole_pictures=arguments.whole_pictures,
        folder=arguments.output,
    )
    if num_failed:
        sys.exit(f"error: {num_failed} of the files could not be read")


def _profile(arguments: argparse.Namespace) -> None:
    from flows.profiles import lay_over, read_profile

    changes = lay_over(read_profile(arguments.name))
    print("\n".join(changes) or f"params.yaml holds the settings of '{arguments.name}' already")


def _import_relabels(arguments: argparse.Namespace) -> None:
    from flows.imports import import_relabels

    for line in import_relabels(
        arguments.file, partial=arguments.partial, annotator=arguments.annotator
    ):
        print(line)


def _print_config(_: argparse.Namespace) -> None:
    from fer_data.label_studio import labelling_config
    from fer_data.params import DataSettings, read_settings

    print(labelling_config(read_settings(DataSettings, "data").expressions))


def _accept_relabels(arguments: argparse.Namespace) -> None:
    from flows.acceptance import accept_relabels

    print(accept_relabels(by=arguments.by))


def _accept_profile(arguments: argparse.Namespace) -> None:
    from flows.acceptance import accept_profile

    print(accept_profile(by=arguments.by))


def _export(arguments: argparse.Namespace) -> None:
    from fer_models.exports import export

    print(
        export(arguments.model, form=arguments.format, int8=arguments.int8, target=arguments.output)
    )


def _bundle(arguments: argparse.Namespace) -> None:
    from fer_models.bundle import pack_workspace
    from flows.workspace import revision

    for line in pack_workspace(
        Path(), arguments.models, arguments.output, revision=revision(Path())
    ):
        print(line)


def _compare(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from fer_data.params import read_settings
    from fer_data.validate import ValidateSettings
    from flows.comparison import show_comparison

    max_drift = read_settings(ValidateSettings, "validate").max_drift
    show_comparison(arguments.old, arguments.new, max_drift=max_drift, console=Console())


_RUNS = {
    "add": _add,
    "app": _app,
    "bundle": _bundle,
    "compare": _compare,
    "demo": _demo,
    "expectations accept": _accept_profile,
    "export": _export,
    "predict": _predict,
    "profile": _profile,
    "relabel": _relabel,
    "relabels accept": _accept_relabels,
    "relabels config": _print_config,
    "relabels import": _import_relabels,
    "sample": _sample,
    "weights": _add_weights,
}
"""What each verb does."""
