"""Distillation: a small network learns from the probabilities of a larger one beside the labels."""

from typing import Any

import keras
import tensorflow as tf

_SMALLEST = 1e-7
"""Of a probability, as in Keras' own cross-entropy."""


class Distillation(keras.layers.Layer):
    """Adds the cross-entropy of a student's probabilities with its teacher's to the loss of training.

    Knowledge distillation (Hinton et al., 2015), with both networks given the same augmented faces
    (Beyer et al., 2022, "Knowledge distillation: A good teacher is patient and consistent").
    """

    def __init__(self, weight: float, **layer: Any) -> None:
        """Stores the weight.

        Args:
            weight: What the teacher's probabilities weigh in the loss; the labels weigh 1.
            **layer: What Keras' layers take.
        """
        super().__init__(trainable=False, dtype="float32", **layer)
        self.weight = weight

    def call(self, student: tf.Tensor, teacher: tf.Tensor, *, training: bool = False) -> tf.Tensor:
        """Returns the probabilities of the student, float32 (B, K), as they are."""
        if training:
            logs = tf.math.log(tf.maximum(student, _SMALLEST))
            apart = -tf.reduce_sum(teacher * logs, axis=-1)
            self.add_loss(self.weight * tf.reduce_mean(apart))
        return student

    def compute_output_shape(
        self, student_shape: tuple[int | None, ...], teacher_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The shape of the student's probabilities."""
        del teacher_shape
        return student_shape
