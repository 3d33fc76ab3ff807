"""The `ferflow` command: one verb a task, which imports a room only when it is called."""

import argparse
import sys
from collections.abc import Callable
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

    _add_predict(verbs.add_parser("predict", help="read the expressions of pictures and films"))
    _add_relabels(verbs.add_parser("relabels", help="decisions on labels: in, out, accepted"))

    expectations = verbs.add_parser("expectations", help="what the next archive is compared with")
    parts = expectations.add_subparsers(required=True, metavar="VERB")
    accept = parts.add_parser(
        "accept", help="accept this archive's counts, brightness and contrast"
    )
    accept.add_argument("--by", metavar="NAME", required=True, help="who accepts")
    accept.set_defaults(run=_accept_profile)

    _add_uses(verbs)

    compare = verbs.add_parser("compare", help="what has changed from an archive to the next")
    for name in ("old", "new"):
        compare.add_argument(name, type=Path, metavar=name.upper(), help="a manifest or workspace")
    compare.set_defaults(run=_compare)
    return parser


def _add_uses(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    app = verbs.add_parser("app", help="open the demo app, which reads the faces of a picture")
    app.add_argument("--bundle", type=Path, metavar="FILE", help="the models of a bundle")
    app.add_argument("--port", type=int, help="the page's port (default: first free from 7860)")
    app.add_argument("--workspace", type=Path, default=Path(), help="default: this folder")
    app.set_defaults(run=_app)

    export = verbs.add_parser("export", help="turn a model into a file for other programs")
    export.add_argument("model", metavar="MODEL", help="a name, such as scratch, or a .keras file")
    export.add_argument("--format", required=True, help="onnx, litert or saved_model")
    export.add_argument("--int8", action="store_true", help="with 8 bits (litert)")
    export.add_argument(
        "--output", type=Path, metavar="FILE", help="default: MODEL.onnx or the like"
    )
    export.set_defaults(run=_export)

    bundle = verbs.add_parser("bundle", help="pack models into one file, to take them along")
    bundle.add_argument("models", nargs="*", metavar="MODEL", help="default: all that there are")
    bundle.add_argument(
        "--output", type=Path, metavar="FILE", default=Path("ferflow-bundle.zip"),
        help="default: ferflow-bundle.zip",
    )  # fmt: skip
    bundle.set_defaults(run=_bundle)


def _add_predict(predict: argparse.ArgumentParser) -> None:
    predict.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="pictures, films, folders, patterns; - for a list of paths on standard input",
    )  # fmt: skip
    predict.add_argument(
        "--model", metavar="NAME", help="a model's name, or a .keras file (default: the best)"
    )
    predict.add_argument(
        "--bundle", type=Path, metavar="FILE", help="take the models from a bundle"
    )
    predict.add_argument("--format", choices=("table", "csv", "jsonl"), default="table")
    predict.add_argument(
        "--whole-pictures", action="store_true", help="take a picture without a face for one"
    )
    predict.add_argument(
        "--output", type=Path, metavar="FOLDER", help="for films (default: beside each)"
    )
    predict.set_defaults(run=_predict)


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
