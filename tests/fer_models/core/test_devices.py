import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from fer_models.core import devices, processors
from fer_models.core.devices import dtype_policy, in_words, strategy
from fer_models.core.training_settings import TrainingSettings
from fer_models.training.checkpoints import Checkpoints
from fer_models.training.trainer import fit
from tests.fer_models.training.test_trainer import network, samples
from tests.support.models.tiny_dataset import TRAINING_SETTINGS

TRAINING = """
import json, sys, tempfile
from pathlib import Path
import keras
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
number = int(sys.argv[2])
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * number)
from fer_models.core.input_pipeline import make_repeatable
from fer_models.training.checkpoints import Checkpoints
from fer_models.core.devices import strategy
from fer_models.training.fused_batch_norm import fused
from fer_models.core.training_settings import TrainingSettings
from fer_models.training.trainer import fit
from tests.fer_models.training.test_trainer import network, samples

make_repeatable(0, deterministic=True)
training_settings = TrainingSettings.model_validate_json(sys.argv[1])
parts = (samples(100), samples(32, seed=1))  # its last batch is a small one

def train(folder, epochs):
    split = strategy("CPU")
    assert split.num_replicas_in_sync == number
    with split.scope():
        model = network()
    settings_now = training_settings.model_copy(update={"epochs": epochs})
    logs = Path(tempfile.mkdtemp())
    history = fit(model, *parts, settings=settings_now, logs=logs, checkpoints=Checkpoints(folder))
    return history, model.get_weights()

folder = Path(tempfile.mkdtemp())
train(folder, 2)
history, resumed = train(folder, 3)
_, weights = train(Path(tempfile.mkdtemp()), 3)
equal = all(np.array_equal(one, other) for one, other in zip(resumed, weights))

split = strategy("CPU")
with split.scope():
    maps = keras.Input((None, None, 2))
    norm = keras.layers.BatchNormalization(momentum=0.0)
    slow = keras.Model(maps, norm(maps))
    quick = fused(slow)
drawn = np.random.default_rng(0).normal(1, 2, (8, 4, 4, 2)).astype(np.float32)
shares = split.experimental_distribute_values_from_function(
    lambda context: tf.constant(np.split(drawn, number)[context.replica_id_in_sync_group])
)
moving = []
for model in (slow, quick):
    norm.moving_mean.assign([0, 0])
    split.run(tf.function(lambda share: model(share, training=True)), (shares,))
    moving.append(norm.moving_mean.numpy())
normalized = moving[0].all() and np.allclose(*moving, rtol=1e-5)
print(
    json.dumps({"loss": history["loss"].tolist(), "resumed": equal, "normalized": bool(normalized)})
)
"""


FEW_FACES = """
import sys, tempfile
from pathlib import Path
import keras
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)
from fer_models.training.checkpoints import Checkpoints
from fer_models.core.devices import strategy
from fer_models.core.training_settings import TrainingSettings
from fer_models.training.trainer import fit
from tests.fer_models.training.test_trainer import samples

with strategy("CPU").scope():
    faces = keras.Input((48, 48, 1), dtype="uint8")
    maps = keras.layers.Conv2D(4, 5, strides=8)(keras.layers.Rescaling(1 / 255)(faces))
    dense = keras.layers.Dense(3, "softmax")
    model = keras.Model(faces, dense(keras.layers.Flatten()(maps)))
folder = Path(tempfile.mkdtemp())
training_settings = TrainingSettings.model_validate_json(sys.argv[1])
parts = samples(17), samples(9, seed=1)
history = fit(model, *parts, settings=training_settings, logs=folder, checkpoints=Checkpoints(folder))
print(history["val_loss"].tolist())
"""


def test_the_last_batch_leaves_no_device_without_a_face() -> None:
    """Of the 17th face, three of four devices would get nothing, which convolutions refuse."""
    settings = {**TRAINING_SETTINGS, "batch_size": 8, "epochs": 2}
    losses = json.loads(printed_by(FEW_FACES, json.dumps(settings)))
    assert len(losses) == 2


def trained_on(num_devices: int, settings: dict[str, Any]) -> dict[str, Any]:
    return json.loads(printed_by(TRAINING, json.dumps(settings), str(num_devices)))


def printed_by(script: str, *words: str) -> str:
    """The last line that a script prints: devices can be divided only before TensorFlow is used."""
    root = Path(__file__).parents[3]
    finished = subprocess.run(
        [sys.executable, "-c", script, *words],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()[-1]


def test_two_devices_share_a_batch_and_learn_what_one_learns(tmp_path: Path) -> None:
    settings = {**TRAINING_SETTINGS, "batch_size": 16, "epochs": 3, "learning_rate": 0.001}
    two = trained_on(2, settings)
    training_settings = TrainingSettings.model_validate_json(json.dumps(settings))
    parts = (samples(100), samples(32, seed=1))
    one = fit(
        network(),
        *parts,
        settings=training_settings,
        logs=tmp_path,
        checkpoints=Checkpoints(tmp_path),
    )
    assert two["loss"] == pytest.approx(list(one["loss"]), rel=0.05)  # dropout differs
    assert two["resumed"]
    assert two["normalized"]  # in one operation as by Keras's


def test_here_one_device_and_floats_are_the_default() -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    training_settings = TrainingSettings.model_validate_json(json.dumps(TRAINING_SETTINGS))
    assert strategy().num_replicas_in_sync == 1
    assert dtype_policy(training_settings) == "float32"
    assert (
        dtype_policy(training_settings.model_copy(update={"mixed_precision": "on"}))
        == "mixed_float16"
    )
    assert in_words() == "CPU"


@pytest.mark.parametrize(
    ("capabilities", "wish", "policy"),
    [
        ([(8, 0)], "auto", "mixed_bfloat16"),
        ([(9, 0), (8, 0)], "on", "mixed_bfloat16"),
        ([(9, 0), (7, 5)], "auto", "mixed_float16"),
        ([(7, 0)], "bfloat16", "mixed_float16"),
        ([(6, 1)], "auto", "float32"),
        ([(6, 1)], "on", "mixed_float16"),
        ([(9, 0)], "off", "float32"),
    ],
)
def test_gpus_compute_in_the_half_precision_that_they_are_good_at(
    capabilities: list[tuple[int, int]], wish: str, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus = [{"compute_capability": capability} for capability in capabilities]
    monkeypatch.setattr(devices, "_gpus", lambda: gpus)
    training_settings = TrainingSettings.model_validate_json(
        json.dumps({**TRAINING_SETTINGS, "mixed_precision": wish})
    )
    assert dtype_policy(training_settings) == policy


def test_a_process_takes_of_a_gpu_what_it_needs() -> None:
    script = "import os, fer_models; print(os.environ['TF_FORCE_GPU_ALLOW_GROWTH'])"
    assert printed_by(script) == "true"


@pytest.mark.parametrize(
    ("flags", "policy"),
    [
        ("fpu avx512f avx512_bf16", "mixed_bfloat16"),
        ("fp asimd bf16", "mixed_bfloat16"),
        ("fpu avx512f", "float32"),
        (None, "float32"),
    ],
)
def test_bfloat16_is_for_processors_that_compute_in_it(
    flags: str | None, policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    listed = tmp_path / "cpuinfo"
    if flags is not None:
        listed.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(processors, "_LINUX", listed)
    training_settings = TrainingSettings.model_validate_json(
        json.dumps({**TRAINING_SETTINGS, "mixed_precision": "bfloat16"})
    )
    assert dtype_policy(training_settings) == policy
