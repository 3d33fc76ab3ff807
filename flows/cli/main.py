"""The `ferflow` command: its verbs, and what can be said with each; `verbs.py` does what they say."""

import argparse
import sys
from pathlib import Path

from fer_data.core.errors import told_in_one_line
from flows.cli import actions


def main() -> None:
    """Parses the command line and runs its verb; what stops it is one line, see `told_in_one_line`."""
    arguments = command_line().parse_args()
    try:
        with told_in_one_line():
            if arguments.run in actions.IN_WORKSPACE:
                actions.check_settings(arguments)
            arguments.run(arguments)
    except KeyboardInterrupt:
        sys.exit("interrupted")


def command_line() -> argparse.ArgumentParser:
    """What can be said with `ferflow`."""
    parser = argparse.ArgumentParser(prog="ferflow", description="Facial-expression classifiers.")
    parsers = parser.add_subparsers(required=True, metavar="VERB")

    demo = parsers.add_parser("demo", help="run the whole line on a drawn archive")
    demo.add_argument("--workspace", type=Path, help="a folder to make (default: a temporary one)")
    demo.add_argument("--faces", type=int, default=3000, help="faces to draw (default: 3000)")
    demo.add_argument("--seed", type=int, default=0, help="seed of the drawing (default: 0)")
    demo.set_defaults(run=actions.demo)

    sample = parsers.add_parser("sample", help="draw an archive of faces with planted errors")
    sample.add_argument("archive", type=Path, help="the archive.zip to write")
    sample.add_argument("--faces", type=int, default=3000, help="faces to draw (default: 3000)")
    sample.add_argument("--seed", type=int, default=0, help="seed of the drawing (default: 0)")
    sample.add_argument("--force", action="store_true", help="replace files that it did not draw")
    sample.set_defaults(run=actions.sample)

    add = parsers.add_parser("add", help="put an archive into this workspace, versioned by DVC")
    add.add_argument("archive", type=Path, help="the archive.zip to copy")
    add.set_defaults(run=actions.add)

    weights = parsers.add_parser("weights", help="let a model start from a file of weights")
    weights.add_argument("model", metavar="MODEL", help="such as mobilenetv2")
    weights.add_argument("file", type=Path, metavar="FILE", help="the file to copy")
    weights.set_defaults(run=actions.add_weights)

    relabel = parsers.add_parser(
        "relabel", help="open the review app on which people correct labels"
    )
    relabel.add_argument("--annotator", metavar="NAME", help="who decides (default: git's name)")
    relabel.add_argument("--port", type=int, help="the page's port (default: first free from 7860)")
    _add_allow_host(relabel)
    relabel.add_argument("--workspace", type=Path, default=Path(), help="default: this folder")
    relabel.set_defaults(run=actions.relabel)

    upgrade = parsers.add_parser("upgrade", help="rewrite the params.yaml of an earlier version")
    upgrade.set_defaults(run=actions.upgrade)

    profile = parsers.add_parser("profile", help="set what presets/NAME.yaml holds in params.yaml")
    profile.add_argument("name", metavar="NAME", help="the preset, such as scratch_tuned")
    profile.set_defaults(run=actions.profile)

    _add_predict(parsers.add_parser("predict", help="read the expressions of images and videos"))
    _add_relabels(parsers.add_parser("relabels", help="decisions on labels: in, out, accepted"))

    expectations = parsers.add_parser("expectations", help="what the next archive is compared with")
    parts = expectations.add_subparsers(required=True, metavar="VERB")
    accept = parts.add_parser(
        "accept", help="accept this archive's counts, brightness and contrast"
    )
    accept.add_argument("--by", metavar="NAME", required=True, help="who accepts")
    accept.set_defaults(run=actions.accept_baseline)

    _add_uses(parsers)

    publish = parsers.add_parser("publish", help="copy the reports to where others see them")
    publish.add_argument(
        "destination", metavar="DESTINATION", nargs="?", help="default: publish.destination"
    )
    publish.add_argument(
        "--run", dest="name", metavar="NAME", help="the run's name (default: the time)"
    )
    publish.add_argument(
        "--force", action="store_true", help="make it the latest, even where a model is worse"
    )
    publish.set_defaults(run=actions.publish)

    compare = parsers.add_parser("compare", help="what has changed from an archive to the next")
    for name in ("old", "new"):
        compare.add_argument(name, type=Path, metavar=name.upper(), help="a manifest or workspace")
    compare.set_defaults(run=actions.compare)
    return parser


def _add_uses(parsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    app = parsers.add_parser("app", help="open the demo app, which reads the faces of an image")
    app.add_argument("--bundle", type=Path, metavar="FILE", help="the models of a bundle")
    app.add_argument("--port", type=int, help="the page's port (default: first free from 7860)")
    _add_allow_host(app)
    app.add_argument("--workspace", type=Path, default=Path(), help="default: this folder")
    app.set_defaults(run=actions.app)

    export = parsers.add_parser("export", help="turn a model into a file for other programs")
    export.add_argument("model", metavar="MODEL", help="a name, such as scratch, or a .keras file")
    export.add_argument("--format", required=True, help="onnx, litert or saved_model")
    export.add_argument("--int8", action="store_true", help="with 8 bits (litert)")
    export.add_argument(
        "--output", type=Path, metavar="FILE", help="default: MODEL.onnx or the like"
    )
    export.set_defaults(run=actions.export)

    bundle = parsers.add_parser("bundle", help="pack models into one file, to take them along")
    bundle.add_argument("models", nargs="*", metavar="MODEL", help="default: all that there are")
    bundle.add_argument(
        "--output", type=Path, metavar="FILE", default=Path("ferflow-bundle.zip"),
        help="default: ferflow-bundle.zip",
    )  # fmt: skip
    bundle.set_defaults(run=actions.bundle)


def _add_predict(predict: argparse.ArgumentParser) -> None:
    predict.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="images, videos, folders, patterns; - for a list of paths on standard input",
    )  # fmt: skip
    predict.add_argument(
        "--model",
        metavar="NAME",
        help="a model's name, a .keras file or an exported one (default: the best)",
    )
    predict.add_argument(
        "--bundle", type=Path, metavar="FILE", help="take the models from a bundle"
    )
    predict.add_argument(
        "--trust", action="store_true", help="load a model that can run code (a .saved_model)"
    )
    predict.add_argument("--format", choices=("table", "csv", "jsonl"), default="table")
    predict.add_argument(
        "--whole-images", action="store_true", help="take an image without a face for one"
    )
    predict.add_argument(
        "--output", type=Path, metavar="FOLDER", help="for videos (default: beside each)"
    )
    predict.set_defaults(run=actions.predict)


def _add_allow_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-host",
        metavar="HOST",
        action="append",
        default=[],
        help="a name under which a proxy shows the page; may be given several times",
    )


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
    take.set_defaults(run=actions.import_decisions)
    config = parts.add_parser("config", help="print the labelling configuration for Label Studio")
    config.set_defaults(run=actions.print_config)
    accept = parts.add_parser("accept", help="let the next crossval learn from the decisions")
    accept.add_argument("--by", metavar="NAME", required=True, help="who accepts")
    accept.set_defaults(run=actions.accept_decisions)


if __name__ == "__main__":
    main()
