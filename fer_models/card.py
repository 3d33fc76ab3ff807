"""Writes a model's card: what it takes and gives, what it learned from, how well it does, its limits.

After Mitchell et al., Model Cards for Model Reporting (2019), in Markdown.
"""

from collections.abc import Mapping
from typing import Any

from fer_data.page import count, decimal, percent
from fer_data.schema import TEST, VALIDATION

_CARD = """\
# {title}

A classifier of facial expressions: {expressions}.

- In: faces, uint8 `(N, 48, 48, 1)`, grey, cropped as those of FER2013 are. Scaling is inside.
- Out: probabilities, float32 `(N, {num_classes})`, in the order above. Dividing their logarithms by the
  temperature {temperature} makes them honest. The expressions whose probability is {threshold} or more,
  before that, hold the given label of {coverage} of the faces like those of `validation`.
- {parameters} parameters, learned from {train_faces} faces in {epochs} epochs; settings were chosen on
  {validation_faces} others (`validation`). Seed {seed}.

## How well

| on | faces | accuracy | 95 % interval | macro-F1 | calibration error |
|---|---|---|---|---|---|
{roles}

On `test`, by label:

| label | faces | precision | recall | F1 |
|---|---|---|---|---|
{classes}

## Limits

Labels of facial expressions are opinions, on which people disagree, and an expression is not a feeling.
The archive has no labels of age, gender or origin: whether the model is fair cannot be measured on it.
Faces of another camera, or another mix of expressions, are not covered by these figures. Inferring
emotions of people at work or in education is restricted by the EU AI Act.
"""


def card_of(training: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The card of a model.

    Args:
        training: Its `summary.json`.
        metrics: Its `metrics.json`.
    """
    per_class = metrics[TEST]["per_class"]
    return _CARD.format(
        title=training["title"],
        expressions=", ".join(per_class),
        num_classes=len(per_class),
        temperature=decimal(metrics["calibration"]["temperature"]),
        threshold=decimal(metrics["conformal"]["threshold"]),
        coverage=percent(metrics["conformal"]["promised"]),
        parameters=count(training["parameters"]),
        train_faces=count(training["train_faces"]),
        validation_faces=count(training["validation_faces"]),
        epochs=training["epochs"],
        seed=training["seed"],
        roles="\n".join(_role_row(role, metrics[role]) for role in (VALIDATION, TEST)),
        classes="\n".join(
            _row(name, *(decimal(one[figure]) for figure in ("precision", "recall", "f1")),
                 faces=one["faces"])
            for name, one in per_class.items()
        ),
    )  # fmt: skip


def _role_row(role: str, measured: Mapping[str, Any]) -> str:
    accuracy, macro_f1 = measured["accuracy"], measured["macro_f1"]["value"]
    return _row(
        f"`{role}`",
        decimal(accuracy["value"]),
        f"{decimal(accuracy['low'])} to {decimal(accuracy['high'])}",
        decimal(macro_f1),
        decimal(measured["calibration_error"]["value"]),
        faces=measured["faces"],
    )


def _row(name: str, *cells: str, faces: int) -> str:
    return f"| {' | '.join([name, count(faces), *cells])} |"
