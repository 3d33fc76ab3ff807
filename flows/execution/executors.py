"""The executors by name. One is imported when it is chosen, since Ray is an extra, and slow."""

import importlib
import os
from collections.abc import Callable
from typing import Literal

from fer_data.core.errors import UserError
from flows.execution.flow_settings import FlowSettings
from flows.execution.local_executor import Executor

ExecutorName = Literal["local", "ray"]
EXECUTORS = {
    "local": "flows.execution.local_executor.LocalExecutor",
    "ray": "flows.execution.ray_executor.RayExecutor",
}
LOOPBACK = "127.0.0.1"


def executor_named(name: ExecutorName, *, settings: FlowSettings) -> Callable[..., Executor]:
    """Imports the class of an executor.

    Args:
        name: The executor.
        settings: Say whether Ray is to be reached from other machines.

    Raises:
        UserError: What it needs is not installed.
    """
    module, _, of_class = EXECUTORS[name].rpartition(".")
    if name == "ray":
        os.environ.update(ray_variables(settings.ray_address))
    try:
        return getattr(importlib.import_module(module), of_class)
    except ModuleNotFoundError as error:
        raise UserError(
            f"the executor {name} needs {error.name}: pip install 'ferflow[{name}]'"
        ) from None


def ray_variables(address: str | None) -> dict[str, str]:
    """What Ray reads from the environment while it is imported.

    Args:
        address: Of the cluster's head; None for a cluster of this machine alone.

    Returns:
        No usage statistics. And where all is on this machine, the switch that lets Ray stay on loopback:
        on Linux it otherwise takes the machine's own address, even when it is told 127.0.0.1.
    """
    variables = {"RAY_USAGE_STATS_ENABLED": "0"}
    if address is None or address.startswith(f"{LOOPBACK}:"):
        variables["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    return variables
