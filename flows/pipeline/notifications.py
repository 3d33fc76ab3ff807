"""Notifies people of a failed flow: a line in the log, and a message to a webhook where one is set."""

import json
import logging
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from httpx import HTTPError as HTTPXError
from prefect import Flow, State
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.logging.loggers import flow_run_logger
from prefect.states import Running
from prefect.utilities.urls import url_for

from fer_data.core.clock import now
from fer_data.core.errors import UserError
from fer_data.stages.settings import PARAMS_FILE, read_settings
from flows.publishing.publish import PublishSettings
from flows.workspace.redaction import without_passwords

TIMEOUT_SECONDS = 10.0
WARNING = "Warning"
"""In place of a state's name: the run goes on."""

Logger = logging.Logger | logging.LoggerAdapter[Any]


@dataclass(frozen=True)
class Failure:
    """A flow run that failed, as the webhook is told of it."""

    text: str
    """All of it in one line: what chat services show."""
    flow: str
    run: str
    state: str
    """Prefect's name of it: `Failed`, `Crashed`, `TimedOut`; or `Warning` of a run that goes on."""
    reason: str
    url: str | None
    """The run in the Prefect UI, where a server is known."""
    at: str
    """When, in UTC."""


def tell_of_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A hook for `on_failure` and `on_crashed`: logs, and posts to `publish.webhook` of the workspace.

    The workspace is the folder that the flow runs in. Nothing is raised: whatever goes wrong here is
    logged beside the failure, which stands as it is.

    A run that somebody cancelled is none: on a busy machine Prefect's engine takes the signal that
    ends it for a crash, until the worker states that it was cancelled.
    """
    logger = flow_run_logger(flow_run, flow)
    if state.is_crashed() and _was_cancelled(flow_run):
        logger.info("it was cancelled: no notification")
        return
    notify(flow.name, flow_run, state, logger=logger)


def _was_cancelled(flow_run: FlowRun) -> bool:
    """Whether somebody asked for its end; no where the server does not answer."""
    unanswered = suppress(HTTPXError, PrefectException)
    with unanswered, get_client(sync_client=True) as client:
        return any(state.is_cancelling() for state in client.read_flow_run_states(flow_run.id))
    return False


def warn(words: str) -> None:
    """Logs a warning of the flow run in whose process this is, and posts it to the webhook."""
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None and context.flow is not None:
        logger = flow_run_logger(context.flow_run, context.flow)
        state = Running(name=WARNING, message=words)
        notify(context.flow.name, context.flow_run, state, logger=logger, level=logging.WARNING)


def notify(
    flow_name: str,
    flow_run: FlowRun,
    state: State[Any],
    *,
    logger: Logger,
    level: int = logging.ERROR,
) -> None:
    """Logs a failure, and posts it to the webhook; for a run whose own process cannot.

    Args:
        flow_name: The flow's name.
        flow_run: The run.
        state: In which it ended.
        logger: Where to log; nothing is raised.
        level: Of the line in the log.
    """
    failure = failure_of(flow_name, flow_run, state)
    logger.log(level, "%s", failure.text)
    try:
        webhook = read_settings(PublishSettings, "publish", file=Path.cwd() / PARAMS_FILE).webhook
    except (UserError, OSError) as error:
        logger.error("notification failed: %s", error)
        return
    if webhook is not None:
        tell(failure, webhook=webhook, logger=logger)


def failure_of(flow_name: str, flow_run: FlowRun, state: State[Any]) -> Failure:
    """Describes a flow run that ended in a state, for the log and the webhook."""
    name = state.name or state.type.value
    reason = without_passwords(" ".join((state.message or "no reason given").split()))
    url = url_for(flow_run)
    place = f": {url}" if url else ""
    text = f"flow {flow_name}, run {flow_run.name}: {name}: {reason}{place}"
    return Failure(text, flow_name, flow_run.name, name, reason, url, at=now())


def tell(
    failure: Failure, *, webhook: str, logger: Logger, timeout_seconds: float = TIMEOUT_SECONDS
) -> bool:
    """Posts a failure as JSON, and logs whether it arrived; nothing is raised if not.

    Args:
        failure: What to tell.
        webhook: The address, or `$NAME` of the environment variable that holds it. Only its host is
            logged, since the rest is often a secret.
        logger: Where to log.
        timeout_seconds: How long the receiver may keep silent.

    Returns:
        Whether the receiver took it.
    """
    address = os.environ.get(webhook[1:], "") if webhook.startswith("$") else webhook
    if not re.match(r"https?://[^/]", address):
        named = webhook if webhook.startswith("$") else "a URL without a host"
        logger.error("notification failed: publish.webhook is %s, which holds no address", named)
        return False
    host = re.split(r"[/?#]", address)[2].rpartition("@")[2]
    try:
        _post(asdict(failure), address, timeout_seconds=timeout_seconds)
    except OSError as error:
        logger.error("notification failed: %s: %s", host, error)
        return False
    except (HTTPException, ValueError) as error:
        # Their words repeat the address.
        logger.error("notification failed: %s: %s", host, type(error).__name__)
        return False
    logger.info("told %s", host)
    return True


class _NoRedirects(HTTPRedirectHandler):
    """Takes a redirection for a refusal: urllib would ask the new address without the message."""

    def http_error_302(self, req: Request, fp: Any, code: int, msg: str, headers: Any) -> None:
        del req, fp, code, msg, headers  # another handler raises an error

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _post(message: dict[str, str | None], address: str, *, timeout_seconds: float) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "ferflow"}
    request = Request(address, data=json.dumps(message, allow_nan=False).encode(), headers=headers)
    try:
        build_opener(_NoRedirects).open(request, timeout=timeout_seconds).close()
    except HTTPError as error:
        error.close()
        raise
