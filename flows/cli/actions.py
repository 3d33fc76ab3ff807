"""What each verb of the `ferflow` command does; it imports a package only when it is called."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def demo(arguments: argparse.Namespace) -> None:
    """Runs the whole line on a drawn archive."""
    import tempfile
    import time

    from rich.console import Console

    from fer_data.synthetic.drawn_archive import write_sample
    from flows.commands import demo
    from flows.workspace import client, create, overrides

    console = Console()
    started = time.monotonic()
    demo.check_size(arguments.faces)
    if arguments.workspace:
        create.check_new(arguments.workspace)  # before any work
    folder = arguments.workspace or Path(tempfile.mkdtemp(prefix="ferflow-demo-"))
    settings = overrides.read_preset("demo", folder=client.project_root())
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "archive.zip"
        planted = write_sample(archive, num_faces=arguments.faces, seed=arguments.seed)
        create.make_workspace(folder, archive=archive, overrides=settings)
    console.print(f"Drew {arguments.faces} faces; running the stages in {folder}:", soft_wrap=True)
    demo.run_stages(folder, console=console)
    demo.show_results(folder, planted, console=console)
    console.print(f"All in {time.monotonic() - started:.0f} s.", highlight=False)


def sample(arguments: argparse.Namespace) -> None:
    """Draws an archive, and the key to its planted errors."""
    from fer_data.synthetic.drawn_archive_files import draw_sample

    planted, key = draw_sample(
        arguments.archive, num_faces=arguments.faces, seed=arguments.seed, force=arguments.force
    )
    print(f"{arguments.faces} faces -> {arguments.archive}; {len(planted)} planted errors -> {key}")


def add(arguments: argparse.Namespace) -> None:
    """Puts an archive into the workspace."""
    from flows.workspace.create import add_archive

    print(add_archive(arguments.archive))


def add_weights(arguments: argparse.Namespace) -> None:
    """Lets a model start from a file."""
    from flows.workspace.create import add_weights

    print(add_weights(arguments.model, arguments.file))


def relabel(arguments: argparse.Namespace) -> None:
    """Opens the review app."""
    from fer_data.web.loopback import exempt_loopback

    exempt_loopback()  # before Gradio is imported, which stumbles at a SOCKS proxy

    from fer_data.annotation.pending_decisions import waiting
    from fer_data.review_app.review_server import open_review_app

    for words in waiting(arguments.workspace):
        print(words)
    _serve(
        "The review app",
        lambda: open_review_app(
            arguments.workspace,
            annotator=arguments.annotator,
            port=arguments.port,
            allow_hosts=arguments.allow_host,
        ),
        farewell="Ended; every decision was on the disk before the next face showed.",
    )


def app(arguments: argparse.Namespace) -> None:
    """Opens the demo app."""
    from fer_data.web.loopback import exempt_loopback

    exempt_loopback()  # before Gradio is imported, which stumbles at a SOCKS proxy

    from fer_models.app.server import open_app
    from fer_models.inference.model_store import open_model_store

    store = open_model_store(workspace=arguments.workspace, bundle=arguments.bundle)
    _serve(
        "The app",
        lambda: open_app(store, port=arguments.port, allow_hosts=arguments.allow_host),
        farewell="Ended; no image was kept.",
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
        # No second one cuts short what puts things away as the process ends, such as uploaded images.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        print(f"\n{farewell}", flush=True)


def predict(arguments: argparse.Namespace) -> None:
    """Reads images and videos."""
    from fer_models.inference.predict import predict

    num_failed = predict(
        arguments.paths,
        model=arguments.model,
        bundle=arguments.bundle,
        form=arguments.format,
        whole_images=arguments.whole_images,
        folder=arguments.output,
        trusted=arguments.trust,
    )
    if num_failed:
        sys.exit(f"error: {num_failed} of the files could not be read")


def profile(arguments: argparse.Namespace) -> None:
    """Sets the settings of a preset."""
    from flows.workspace.overrides import apply_overrides, read_preset

    changes = apply_overrides(read_preset(arguments.name))
    print("\n".join(changes) or f"params.yaml holds the settings of '{arguments.name}' already")


def upgrade(_: argparse.Namespace) -> None:
    """Rewrites the settings of an earlier version."""
    from flows.commands.upgrade import upgrade

    print("\n".join(upgrade()) or "params.yaml has the names of this version already")


def import_decisions(arguments: argparse.Namespace) -> None:
    """Takes decisions in."""
    from flows.commands.import_labels import import_decisions

    for line in import_decisions(
        arguments.file, partial=arguments.partial, annotator=arguments.annotator
    ):
        print(line)


def print_config(_: argparse.Namespace) -> None:
    """Prints the configuration for Label Studio."""
    from fer_data.review_queue.label_studio_tasks import labelling_config
    from fer_data.stages.settings import DataSettings, read_settings

    print(labelling_config(read_settings(DataSettings, "data").expressions))


def accept_decisions(arguments: argparse.Namespace) -> None:
    """Accepts the decisions."""
    from flows.commands.accept import accept_decisions

    print(accept_decisions(by=arguments.by))


def accept_baseline(arguments: argparse.Namespace) -> None:
    """Accepts the archive as it is."""
    from flows.commands.accept import accept_baseline

    print(accept_baseline(by=arguments.by))


def export(arguments: argparse.Namespace) -> None:
    """Turns a model into a file for other programs."""
    from flows.commands.export_stored import export_stored

    print(
        export_stored(
            arguments.model, form=arguments.format, int8=arguments.int8, target=arguments.output
        )
    )


def bundle(arguments: argparse.Namespace) -> None:
    """Packs models into one file."""
    from fer_models.inference.bundle import pack_workspace
    from flows.workspace.client import revision

    for line in pack_workspace(
        Path(), arguments.models, arguments.output, revision=revision(Path())
    ):
        print(line)


def publish(arguments: argparse.Namespace) -> None:
    """Copies the reports to where others see them."""
    from fer_data.core.errors import UserError
    from fer_data.stages.settings import read_settings
    from flows.publishing.publish import PublishSettings, name_by_time, publish

    settings = read_settings(PublishSettings, "publish")
    if arguments.destination:
        settings = settings.model_copy(update={"destination": arguments.destination})
    run_name = arguments.name or name_by_time()
    published = publish(Path(), settings=settings, run_name=run_name, force=arguments.force)
    for words in (*published.changes, *published.waiting):
        print(words)
    if not published.is_latest:
        raise UserError(f"{published.outcome}; --force makes it the latest")
    print(published.outcome)


def compare(arguments: argparse.Namespace) -> None:
    """Says what has changed from an archive to the next."""
    from rich.console import Console

    from fer_data.stages.settings import read_settings
    from fer_data.validation.validate import ValidateSettings
    from flows.commands.compare import show_comparison

    max_drift = read_settings(ValidateSettings, "validate").max_drift
    show_comparison(arguments.old, arguments.new, max_drift=max_drift, console=Console())


def check_settings(arguments: argparse.Namespace) -> None:
    """Checks all settings of the workspace that a verb is about, if it has any."""
    from fer_data.stages.all_settings import check_settings
    from fer_data.stages.settings import PARAMS_FILE

    workspace = getattr(arguments, "workspace", Path())
    if (workspace / PARAMS_FILE).exists():
        check_settings(workspace, complete=False)


IN_WORKSPACE = (
    *(add, add_weights, relabel, import_decisions, accept_decisions, accept_baseline),
    *(print_config, publish, compare),
)
"""The verbs whose work builds on settings; the others use models, or mend settings."""
