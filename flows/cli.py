"""The `ferflow` command: one verb a task, which imports a room only when it is called."""

import argparse
import sys
from pathlib import Path


def main() -> None:
    """Parses the command line and runs its verb; a user's mistake is one line and exit code 1."""
    from fer_data.stage import UserError

    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ferflow", description="Facial-expression classifiers.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    demo = verbs.add_parser("demo", help="run the whole line on a drawn archive")
    demo.add_argument("--workspace", type=Path, help="a folder to make (default: a temporary one)")
    demo.add_argument("--faces", type=int, default=3000, help="faces to draw (default: 3000)")
    demo.add_argument("--seed", type=int, default=0, help="seed of the drawing (default: 0)")
    demo.set_defaults(run=_demo)

    sample = verbs.add_parser("sample", help="draw an archive of faces with planted faults")
    sample.add_argument("archive", type=Path, help="the archive.zip to write")
    sample.add_argument("--faces", type=int, default=3000, help="faces to draw (default: 3000)")
    sample.add_argument("--seed", type=int, default=0, help="seed of the drawing (default: 0)")
    sample.set_defaults(run=_sample)

    add = verbs.add_parser("add", help="put an archive into this workspace, versioned by DVC")
    add.add_argument("archive", type=Path, help="the archive.zip to copy")
    add.set_defaults(run=_add)

    weights = verbs.add_parser("weights", help="let a model start from a file of weights")
    weights.add_argument("model", metavar="MODEL", help="such as mobilenetv2")
    weights.add_argument("file", type=Path, metavar="FILE", help="the file to copy")
    weights.set_defaults(run=_add_weights)

    relabel = verbs.add_parser("relabel", help="open the desk on which people correct labels")
    relabel.add_argument("--annotator", metavar="NAME", help="who decides (default: git's name)")
    relabel.add_argument("--port", type=int, help="the page's port (default: first free from 7860)")
    relabel.add_argument("--workspace", type=Path, default=Path(), help="default: this folder")
    relabel.set_defaults(run=_relabel)

    profile = verbs.add_parser("profile", help="lay profiles/NAME.yaml over params.yaml")
    profile.add_argument("name", metavar="NAME", help="the profile, such as scratch_tuned")
    profile.set_defaults(run=_profile)

    _add_relabels(verbs.add_parser("relabels", help="decisions on labels: in, out, accepted"))

    expectations = verbs.add_parser("expectations", help="what the next archive is compared with")
    parts = expectations.add_subparsers(required=True, metavar="VERB")
    accept = parts.add_parser(
        "accept", help="accept this archive's counts, brightness and contrast"
    )
    accept.add_argument("--by", metavar="NAME", required=True, help="who accepts")
    accept.set_defaults(run=_accept_profile)

    publish = verbs.add_parser("publish", help="copy the reports to where others see them")
    publish.add_argument(
        "destination", metavar="DESTINATION", nargs="?", help="default: publish.destination"
    )
    publish.add_argument(
        "--run", dest="name", metavar="NAME", help="the run's name (default: the time)"
    )
    publish.add_argument(
        "--force", action="store_true", help="make it the latest, even where a model is worse"
    )
    publish.set_defaults(run=_publish)

    compare = verbs.add_parser("compare", help="what has changed from an archive to the next")
    for name in ("old", "new"):
        compare.add_argument(name, type=Path, metavar=name.upper(), help="a manifest or workspace")
    compare.set_defaults(run=_compare)
    return parser


def _add_relabels(relabels: argparse.ArgumentParser) -> None:
    parts = relabels.add_subparsers(required=True, metavar="VERB")
    take = parts.add_parser(
        "import", help="take decisions of a CSV, or of Label Studio's JSON export"
    )
    take.add_argument("file", type=Path, metavar="FILE", help="the file; left as it is")
    take.add_argument(
        "--partial", action="store_true", help="take the good rows of a file with bad ones"
    )
    take.add_argument(
        "--annotator", metavar="NAME", help="who decided, where the file does not say"
    )
    take.set_defaults(run=_import_relabels)
    config = parts.add_parser("config", help="print the labelling configuration for Label Studio")
    config.set_defaults(run=_print_config)
    accept = parts.add_parser("accept", help="let the next crossval learn from the decisions")
    accept.add_argument("--by", metavar="NAME", required=True, help="who accepts")
    accept.set_defaults(run=_accept_relabels)


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
    import signal
    import threading

    from fer_data.desk import open_desk

    # Said outright, since a shell lets what it starts in the background ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        address = open_desk(arguments.workspace, annotator=arguments.annotator, port=arguments.port)
        print(f"The relabelling desk: {address} (Ctrl-C ends it)", flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        print("\nEnded; every decision was on the disk before the next face showed.")


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


def _publish(arguments: argparse.Namespace) -> None:
    from fer_data.params import read_settings
    from fer_data.stage import UserError
    from flows.publishing import PublishSettings, name_by_time, publish

    settings = read_settings(PublishSettings, "publish")
    if arguments.destination:
        settings = settings.model_copy(update={"destination": arguments.destination})
    run_name = arguments.name or name_by_time()
    published = publish(Path(), settings=settings, run_name=run_name, force=arguments.force)
    for change in published.changes:
        print(change)
    if not published.is_latest:
        raise UserError(f"{published.outcome}; --force makes it the latest")
    print(published.outcome)


def _compare(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from fer_data.params import read_settings
    from fer_data.validate import ValidateSettings
    from flows.comparison import show_comparison

    max_drift = read_settings(ValidateSettings, "validate").max_drift
    show_comparison(arguments.old, arguments.new, max_drift=max_drift, console=Console())
