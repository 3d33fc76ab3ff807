"""Ends a training whose inputs somebody edits: DVC would record it as made from the edited ones."""

import keras

from fer_data.stages.input_changes import check_inputs


class InputsCheck(keras.callbacks.Callback):
    """Looks after each epoch whether the stage's inputs are still what they were at its start.

    It belongs behind the callback that keeps the epoch, so that a training goes on from there if the
    edit is taken back.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Raises `InputsChangedError`, which ends the stage, if they are others."""
        del epoch, logs
        check_inputs()
