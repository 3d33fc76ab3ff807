"""The server of the review app, where people decide on the faces of the review queue.

It reads a workspace's queue and faces, and appends decisions to its `relabels.csv`. Gradio serves
the page on the loopback device alone, and the page calls nothing but Gradio's API of six verbs.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from fastapi import HTTPException
from fastapi.responses import Response

from fer_data.annotation.decision_log import check_row
from fer_data.core.catalog import dependency, output
from fer_data.core.errors import UserError
from fer_data.core.face_store import read_faces
from fer_data.core.git_environment import without_repository
from fer_data.core.schema import (
    DROP,
    ISSUE_TYPES,
    KEEP,
    NEAR_GROUP,
    ORIGINAL_SPLIT,
    PATH,
    PIXEL_HASH,
    RANK,
    SPLIT,
)
from fer_data.core.tables import original_splits, read_csv, read_table
from fer_data.review_app.queue_share import Share
from fer_data.review_app.queued_faces import SHOWN_COLUMNS, queued_faces
from fer_data.review_app.review_session import Review
from fer_data.review_app.review_settings import ReviewAppSettings
from fer_data.review_queue.audit import mix_in, read_audit
from fer_data.stages.settings import PARAMS_FILE, DataSettings, read_settings
from fer_data.web.html import face_png, render_page
from fer_data.web.local_server import launch, new_server, told

_IMAGE_HEADERS = {"Cache-Control": "private, max-age=31536000, immutable"}
_MOST_CHARACTERS = 200  # of a name, which each line of decisions repeats


def open_review_app(
    review: Review,
    images: dict[str, np.ndarray],
    *,
    workspace: Path,
    port: int | None = None,
    allow_hosts: Sequence[str] = (),
) -> str:
    """Serves the review app of a workspace until the process ends.

    Args:
        review: Its queue, as `read_review` returns it with `images`.
        images: Its faces.
        workspace: The folder of `dvc.yaml`.
        port: By default the first free one from 7860.
        allow_hosts: Names under which a proxy shows the page, beside those of this machine.

    Returns:
        The page's address.

    Raises:
        UserError: There is no free port, or one of `allow_hosts` is no name of a host.
    """
    settings = read_settings(ReviewAppSettings, "review_app", file=workspace / PARAMS_FILE)
    server = make_server(
        review, images, show_suggestion=settings.show_suggestion, allow_hosts=allow_hosts
    )
    return launch(server, port=port)


def read_review(
    workspace: Path, *, annotator: str | None = None, share: Share | None = None
) -> tuple[Review, dict[str, np.ndarray]]:
    """Reads a workspace's queue, and the images of its archive by their pixel hash.

    Args:
        workspace: The folder of `dvc.yaml`.
        annotator: Who decides; by default git's `user.name`, and without one the page asks.
        share: The part of the queue to read; by default all of it.

    Raises:
        UserError: There is no workspace or no queue, one of the files is missing or broken, the name is
            not valid, or a share is asked for and no annotator is named.
    """

    def made_by(stage_name: str, file_name: str) -> Path:
        return output(stage_name, file_name, workspace=workspace)

    suspects = _read_suspects(made_by("review_queue", "suspects.csv"))
    audit = read_audit(made_by("review_queue", "audit.csv"))
    neighbors = read_table(made_by("review_queue", "neighbors.parquet"))
    manifest, pixels = read_faces(
        made_by("ingest", "manifest.parquet"), made_by("ingest", "pixels.npy")
    )
    settings = read_settings(DataSettings, "data", file=workspace / PARAMS_FILE)
    assigned = _assigned(made_by("split", "assignments.parquet"), manifest)
    faces = queued_faces(mix_in(suspects, audit), assigned, neighbors)
    review = Review(
        faces,
        dependency("quality_report", "relabels.csv", workspace=workspace),
        expressions=settings.expressions,
        retired=settings.retired_expressions,
        annotator=_name(annotator, workspace, settings.expressions),
        share=share,
    )
    return review, dict(zip(manifest[PIXEL_HASH], np.asarray(pixels), strict=True))


def make_server(
    review: Review,
    images: dict[str, np.ndarray],
    *,
    show_suggestion: bool,
    allow_hosts: Sequence[str] = (),
) -> gr.Server:
    """The page, the images, and the API that the page calls.

    Args:
        review: The queue.
        images: uint8 (48, 48) by pixel hash.
        show_suggestion: Whether the suggested expression shows at once.
        allow_hosts: Names under which a proxy shows the page, beside those of this machine.
    """
    settings = {
        "expressions": review.expressions,
        "others": [KEEP, DROP],
        "issue_types": ISSUE_TYPES,
        "annotator": review.annotator,
        "share": str(review.share or ""),
        "show_suggestion": show_suggestion,
    }

    def page(nonce: str) -> str:
        return render_page(
            "fer_data.review_app", "review_app.html.j2", settings=settings, nonce=nonce
        )

    server = new_server(page, allow_hosts=allow_hosts)

    @server.get("/faces/{pixel_hash}.png")
    def image(pixel_hash: str) -> Response:
        if pixel_hash not in images:
            raise HTTPException(404, f"the archive has no face {pixel_hash}")
        data = face_png(images[pixel_hash])
        return Response(data, media_type="image/png", headers=_IMAGE_HEADERS)

    def queue() -> dict[str, Any]:
        review.session.look()
        return {"faces": review.faces, "decided": review.decided()}

    def decide(faces: list[str], decision: str, annotator: str) -> dict[str, Any]:
        if len(annotator) > _MOST_CHARACTERS:
            raise UserError(f"the name is too long: expected at most {_MOST_CHARACTERS} characters")
        return review.decide(faces, decision, annotator=annotator)

    def undo(faces: list[str], annotator: str) -> dict[str, Any]:
        return review.undo(faces, annotator=annotator)

    def skip(faces: list[str]) -> str:
        return review.skip(faces)

    for verb in (queue, review.decided, decide, undo, skip, review.summary):
        server.api(told(verb), name=verb.__name__, queue=False)
    return server


def _read_suspects(file: Path) -> pd.DataFrame:
    suspects = read_csv(file, dtype=str)
    lacking = [name for name in SHOWN_COLUMNS if name not in suspects]
    if lacking:
        raise UserError(
            f"{file} lacks {', '.join(lacking)}: `dvc repro review_queue` makes the queue again"
        )
    return suspects.astype({RANK: int})


def _assigned(file: Path, manifest: pd.DataFrame) -> pd.DataFrame:
    """The manifest with near groups, and with what `split` drew as `test` in Testing."""
    assignments = read_table(file)
    keys = assignments.get([PATH, NEAR_GROUP, SPLIT])
    if keys is None or list(keys[PATH]) != list(manifest[PATH]):
        raise UserError(f"{file} is not of this manifest: `dvc repro split` makes it again")
    return manifest.assign(
        **{
            NEAR_GROUP: keys[NEAR_GROUP].to_numpy(),
            ORIGINAL_SPLIT: original_splits(manifest, keys),
        }
    )


def _name(annotator: str | None, workspace: Path, expressions: tuple[str, ...]) -> str:
    """Who decides: as given, else as git knows the person, else empty."""
    if annotator is None:
        name, where = _git_name(workspace), "git's user.name"
    else:
        name, where = annotator.strip(), "--annotator"
        if not name:
            raise UserError(f"{where} is empty: expected the name of who decides")
    check_row(["0" * 64, "", DROP, name, "", ""], expressions, where=where)
    return name


def _git_name(workspace: Path) -> str:
    command = ["git", "config", "user.name"]
    try:
        finished = subprocess.run(
            command,
            cwd=workspace,
            env=without_repository(),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:  # no git
        return ""
    return finished.stdout.strip()
