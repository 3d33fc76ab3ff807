"""How a model is trained: the section `training` of `params.yaml`, which each model's goes over."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from fer_data.stages.settings import Seed, Settings


class AugmentationSettings(Settings):
    """How the faces of a training batch are changed, each in its own way; all 0: not at all."""

    horizontal_flip: bool
    """Whether half of the faces are flipped horizontally."""
    rotation_degrees: float = Field(ge=0, le=90)
    """How far a face is turned at most, either way."""
    translation_fraction: float = Field(ge=0, le=0.5)
    """How far it is moved at most along each axis, as a part of its size."""
    zoom_fraction: float = Field(ge=0, lt=1)
    """How much its scale changes at most, either way, as a part of it."""
    contrast_fraction: float = Field(ge=0, lt=1)
    """How much its contrast changes at most, either way, as a part of it."""
    random_erasing_fraction: float = Field(ge=0, le=1)
    """The part of the faces that lose a rectangle (random erasing: Zhong et al., 2020)."""
    salt_and_pepper_fraction: float = Field(ge=0, le=1)
    """The part of the pixels that turn black or white, each equally likely."""
    salt_and_pepper_copies: bool
    """Whether the noise is for a copy of each face of `train`, appended once (the paper's form), and not
    for the faces of a batch."""

    @model_validator(mode="after")
    def _copies_have_noise(self) -> Self:
        if self.salt_and_pepper_copies and not self.salt_and_pepper_fraction:
            raise ValueError("salt_and_pepper_copies needs a salt_and_pepper_fraction above 0")
        return self

    @property
    def interpolates(self) -> bool:
        """Whether faces are moved between pixels; mirroring alone moves none there."""
        return bool(self.rotation_degrees or self.translation_fraction or self.zoom_fraction)


class SmallFacesSettings(Settings):
    """Small faces first, which cost less, and whole ones in the end (progressive resizing)."""

    size: int = Field(ge=8, le=48)
    """Height and width of the small faces, in pixels."""
    epochs: int = Field(ge=0)
    """How many epochs see small faces; 0: none does."""


class TrainingSettings(Settings):
    """Section `training`; a model's own class adds what its network needs, its section what departs."""

    DEFAULTS: ClassVar[tuple[str, ...]] = ("training",)

    epochs: int = Field(ge=1)
    """How often the network sees the whole of `train`, at most."""
    batch_size: int = Field(ge=1)
    """Faces a step, over all devices."""
    optimizer: Literal["rmsprop", "adam", "sgd"]
    """The optimizer, with Keras' defaults but for step size and decay; `sgd` has Nesterov momentum."""
    weight_decay: float = Field(ge=0, lt=1)
    """Decay of all weights but biases and those of batch norms, a step, times the step size; with
    `adam`, this is AdamW (Loshchilov and Hutter, 2019)."""
    learning_rate: float = Field(gt=0, le=1)
    """The optimizer's (largest) step size."""
    schedule: Literal["constant", "cosine"]
    """Whether the step size stays, or falls to 0 along half a cosine."""
    warmup_fraction: float = Field(ge=0, lt=1)
    """The part of all steps in which the step size rises from 0."""
    label_smoothing: float = Field(ge=0, lt=1)
    """The part of each label that is spread over all classes."""
    mixup_alpha: float = Field(default=0.0, ge=0, le=2)
    """How evenly each face of a batch is mixed with another, and its label with that one's: the share of
    the first is drawn from Beta(alpha, alpha) (mixup: Zhang et al., 2018); 0: not at all."""
    teacher_weight: float = Field(default=0.0, ge=0)
    """What the probabilities of a teacher weigh in the loss, where the model has one; labels weigh 1."""
    monitor: Literal["val_accuracy", "val_loss"]
    """What epochs are compared by, always on `validation`."""
    restore_best_weights: bool
    """Whether the weights of the best epoch by `monitor` are saved, or those of the last one."""
    patience: int | None = Field(ge=1)
    """Training stops when that many epochs in a row were no better than the best; null: never."""
    augmentation: AugmentationSettings
    """What is done to the faces of each batch."""
    small_faces: SmallFacesSettings
    """Small faces first, for networks that take faces of any size (`compact`)."""
    mixed_precision: Literal["auto", "bfloat16", "on", "off"]
    """Whether layers compute in half precision; `auto`: on GPUs with tensor cores, in bfloat16 from
    compute capability 8.0 on, else in float16 with a scaled loss; `bfloat16`: on processors that compute
    in it too; `on`: everywhere."""
    xla: Literal["auto", "on", "off"]
    """Whether steps are compiled by XLA; `auto`: where Keras finds that every layer can be; `on` needs
    `deterministic: false`."""
    deterministic: bool
    """Whether equal settings and data give equal weights, bit for bit, at some cost in speed."""
    seed: Seed
    """Seed of initial weights, dropout, augmentation and the order of the faces."""

    @model_validator(mode="after")
    def _xla_leaves_results_to_chance(self) -> Self:
        if self.xla == "on" and self.deterministic:
            raise ValueError(
                "xla 'on' is ignored where operations are deterministic: expected `deterministic: "
                "false` beside it, or `xla: auto`"
            )
        return self


SECTIONS = {"training": TrainingSettings}
