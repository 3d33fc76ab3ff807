"""Section `flows` of `params.yaml`: the executor of the stages, timeouts and retries."""

from typing import Annotated

from pydantic import Field

from fer_data.stages.settings import Settings


class FlowSettings(Settings):
    """Settings of the Prefect flow. No stage reads them, so changing them reruns nothing."""

    gpus: Annotated[int, Field(ge=0)] | None
    """GPUs to share out, counted from 0; null: all that `nvidia-smi` lists."""
    cpu_slots: int = Field(ge=1)
    """Stages side by side where there is no GPU; TensorFlow's threads are divided among them."""
    ray_address: Annotated[str, Field(pattern=r"^[^:/]+:[0-9]+$")] | None
    """Of the head of a Ray cluster, `HOST:PORT`; null: a cluster of this machine alone."""
    timeout_minutes: float = Field(gt=0)
    """After which a stage is ended, whatever it does."""
    retries: int = Field(ge=0)
    """Of a stage that failed for what can pass: a killed process, a full disk, a lost connection."""
    retry_delay_seconds: float = Field(ge=0)
    """Before the first retry; doubled before each further one."""


SECTIONS = {"flows": FlowSettings}
