"""A stock builder of TensorFlow Datasets for the same archive: what its documentation shows.

    python benchmarks/peers/tfds_builder.py ARCHIVE FOLDER

It checks nothing, looks for no duplicates, and balances nothing.
"""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds


class Faces(tfds.core.GeneratorBasedBuilder):
    """Images in SPLIT/CLASS/ of a zip."""

    VERSION = tfds.core.Version("1.0.0")
    archive = Path()

    def _info(self) -> tfds.core.DatasetInfo:
        with zipfile.ZipFile(self.archive) as opened:
            names = sorted({name.split("/")[-2] for name in opened.namelist() if name[-1] != "/"})
        image = tfds.features.Image(shape=(48, 48, 1))
        label = tfds.features.ClassLabel(names=names)
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict({"image": image, "label": label}),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        del dl_manager
        return {
            "train": self._generate_examples("Training"),
            "test": self._generate_examples("Testing"),
        }

    def _generate_examples(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        with zipfile.ZipFile(self.archive) as opened:
            for name in opened.namelist():
                if f"{folder}/" in name and name[-1] != "/":
                    yield name, {"image": opened.open(name), "label": name.split("/")[-2]}


if __name__ == "__main__":
    Faces.archive = Path(sys.argv[1])
    Faces(data_dir=sys.argv[2]).download_and_prepare()
