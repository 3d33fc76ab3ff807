"""Commands on labels: `review`, `import-decisions`, `accept-decisions` and others."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import (
    AcceptedBy,
    AllowedHosts,
    Port,
    Workspace,
    check_workspace,
    require_workspace,
)
from flows.cli.serving import until_interrupted

PANEL = "Labels"
app = typer.Typer()


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow review --annotator ann")
def review(
    annotator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who decides.", show_default="git's user.name"),
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(
            metavar="PART/PARTS",
            help="Show one person's part of the queue, such as 1/3.",
            show_default="all of it",
        ),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION",
            help="How much of the queue everybody sees beside their share.",
            show_default="0.1 with --share",
        ),
    ] = None,
    port: Port = None,
    allow_host: AllowedHosts = None,
    workspace: Workspace = Path(),
) -> None:
    """Open the review app, in which people correct labels."""
    check_workspace(workspace)

    from fer_data.web.loopback import exempt_loopback

    exempt_loopback()  # before Gradio is imported, which stumbles at a SOCKS proxy

    from fer_data.annotation.pending_decisions import waiting
    from fer_data.review_app.queue_share import read_share
    from fer_data.review_app.review_server import open_review_app, read_review

    whose = read_share(share, overlap=overlap)
    for line in waiting(workspace):
        print(line)
    review, images = read_review(workspace, annotator=annotator, share=whose)
    until_interrupted(
        "The review app",
        lambda: open_review_app(
            review, images, workspace=workspace, port=port, allow_hosts=allow_host or []
        ),
        notes=filter(None, [review.in_words()]),
        farewell=lambda: review.farewell(workspace),
    )


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow import-decisions export.json")
def import_decisions(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A CSV, or Label Studio's JSON; left as it is."),
    ],
    votes: Annotated[
        bool,
        typer.Option(
            "--votes", help="FILE counts votes by class, as FER+ does: take clear majorities."
        ),
    ] = False,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION",
            help="The part of the votes that makes a majority clear, more than 0.5.",
            show_default="0.6 with --votes",
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take the good rows of a file with bad ones.")
    ] = False,
    annotator: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who decided, where the file does not say."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken in, and take in nothing.")
    ] = False,
    workspace: Workspace = Path(),
) -> None:
    """Take in decisions on labels that were made elsewhere."""
    check_workspace(workspace)

    from fer_data.core.errors import UserError
    from fer_data.decision_import.vote_majorities import DEFAULT_AGREEMENT
    from flows.commands.import_labels import import_decisions

    if votes:
        min_agreement = DEFAULT_AGREEMENT if min_agreement is None else min_agreement
    elif min_agreement is not None:
        raise UserError("--min-agreement is of votes: give --votes, too")
    for line in import_decisions(
        file,
        partial=partial,
        annotator=annotator,
        min_agreement=min_agreement,
        dry_run=dry_run,
        folder=workspace,
    ):
        print(line)


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow accept-decisions --by Ann")
def accept_decisions(by: AcceptedBy, workspace: Workspace = Path()) -> None:
    """Let the next cross-validation learn from the decisions on labels."""
    check_workspace(workspace)

    from flows.commands.accept import accept_decisions

    print(accept_decisions(by=by, folder=workspace))


@app.command(rich_help_panel=PANEL, epilog="Example: ferflow label-studio-config > config.xml")
def label_studio_config(workspace: Workspace = Path()) -> None:
    """Print the labeling configuration for Label Studio."""
    check_workspace(workspace)

    from fer_data.review_queue.label_studio_tasks import labeling_config
    from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings

    settings = read_settings(DataSettings, "data", file=workspace / PARAMS_FILE)
    print(labeling_config(settings.expressions))


@app.command(
    rich_help_panel=PANEL, epilog="Example: ferflow simulate-review --key archive.planted.csv"
)
def simulate_review(
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The key of planted errors that `ferflow sample` wrote."),
    ] = None,
    votes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Or votes, as `import-decisions --votes` takes them."),
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION", help="Of the votes: what makes them clear.", show_default="0.6"
        ),
    ] = None,
    faces: Annotated[
        int,
        typer.Option(metavar="NUMBER", min=1, help="How many faces are decided, in each order."),
    ] = 300,
    step: Annotated[
        int, typer.Option(metavar="NUMBER", min=1, help="After how many the model is trained.")
    ] = 100,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="The model that learns from the decisions.")
    ] = "scratch",
    orders: Annotated[
        str,
        typer.Option(metavar="NAMES", help="In which orders, with commas between them."),
    ] = "learned,queue,random",
    seed: Annotated[int, typer.Option(metavar="NUMBER", min=0, help="Of the random order.")] = 0,
    workspace: Workspace = Path(),
) -> None:
    """Let a recorded annotator decide, and show what it does to labels and a model."""
    require_workspace(workspace)

    import tempfile

    from rich.console import Console

    from fer_data.core.files import atomic_write
    from flows.commands.demo import run_stages
    from flows.simulation.recorded_annotator import annotator_of
    from flows.simulation.simulated_review import (
        SimulatedReview,
        as_table,
        read_orders,
        simulate,
    )
    from flows.simulation.simulation_page import simulation_page
    from flows.workspace.graph import read_graph, stages_after_decisions

    annotator = annotator_of(workspace, key=key, votes=votes, min_agreement=min_agreement)
    console = Console()
    in_orders = read_orders(orders)
    stages = stages_after_decisions(read_graph(workspace), model)
    folder = workspace / "reports/simulated_review"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass  # before the work, whether it can be written there
    with tempfile.TemporaryDirectory(prefix="ferflow-simulated-") as scratch:
        steps = []
        review = SimulatedReview(
            annotator,
            num_faces=faces,
            step=step,
            model=model,
            stages=stages,
            seed=seed,
            run=lambda copy, stages: run_stages(copy, console=console, stages=stages),
        )
        for one in simulate(workspace, Path(scratch), review, orders=in_orders):
            steps.append(one)
            console.print(one.in_words(), highlight=False)
            table = as_table(steps)  # written each time: a long simulation may be ended early
            with atomic_write(folder / "steps.csv") as beside:
                table.to_csv(beside, index=False, lineterminator="\n")
            with atomic_write(folder / "index.html") as beside:
                page = simulation_page(table, model=model, annotator=annotator.name)
                beside.write_text(page, encoding="utf-8")
    print(f"{folder / 'index.html'} shows it, {folder / 'steps.csv'} has the figures")
