"""What learns from the faces, how well it does, and how people use it."""

import fer_data  # noqa: F401 # before any module here imports Keras: see `fer_data.tensorflow_start`
