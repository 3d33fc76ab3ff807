"""Seconds to open a training set, and to read two epochs of shuffled batches of it.

python benchmarks/peers/read_epochs.py records FOLDER     # ours: TFRecords
python benchmarks/peers/read_epochs.py images FOLDER      # Keras: image_dataset_from_directory
"""

import json
import sys
import time
from pathlib import Path

BATCH = 64


def main() -> None:
    """Prints JSON: the faces, and seconds of opening and of both epochs."""
    import keras
    import tensorflow as tf

    from fer_data.core import tfrecord
    from fer_models.core.input_pipeline import training_batches

    started = time.perf_counter()
    folder = Path(sys.argv[2])
    if sys.argv[1] == "records":
        read = tfrecord.read_split(folder, "train")
        arrays = (read.faces, read.labels)
        epochs = [
            training_batches(*arrays, batch_size=BATCH, seed=0, epochs=range(epoch, epoch + 1))
            for epoch in range(2)
        ]
    else:
        faces = keras.utils.image_dataset_from_directory(
            folder,
            color_mode="grayscale",
            image_size=(48, 48),
            batch_size=BATCH,
            seed=0,
            verbose=False,
        )
        epochs = [faces.prefetch(tf.data.AUTOTUNE)] * 2
    seconds = [time.perf_counter() - started]
    num_faces = 0
    for epoch in epochs:
        started = time.perf_counter()
        num_faces = sum(len(batch[0]) for batch in epoch)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"faces": num_faces, "seconds": seconds}))


if __name__ == "__main__":
    main()
