"""Stops a training whose inputs were edited: DVC would record it as made from the edited ones."""

import keras

from fer_data.stages.input_changes import check_inputs


class InputsCheck(keras.callbacks.Callback):
    """Checks after each epoch that the stage's inputs are as they were at its start.

    It comes after the callback that writes checkpoints, so that training resumes from there if the edit
    is reverted.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Raises `InputsChangedError`, which ends the stage, if they have changed."""
        del epoch, logs
        check_inputs()
