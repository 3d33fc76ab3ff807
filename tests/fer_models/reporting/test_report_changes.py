"""What the page about the models says of how they moved since decisions were accepted."""

from pathlib import Path

import pytest

from fer_models.reporting.report_settings import SeedSpread
from tests.support.models.model_reports import (
    accepted_when,
    model_from,
    page_of,
    text_of,
    write_reports,
)

MINUS = "\N{MINUS SIGN}"


def test_without_accepted_decisions_nothing_is_compared(tmp_path: Path) -> None:
    write_reports(tmp_path)
    page = text_of(page_of(model_from(tmp_path)))
    assert "No decisions were accepted yet" in page
    assert "<code>dvc metrics diff</code>" in page


SPREAD = SeedSpread(accuracy=0.013, degrees_of_freedom=24)


@pytest.mark.parametrize(
    ("before", "difference", "spread", "result"),
    [
        (
            0.5602,
            "+0.10",
            SPREAD,
            "<strong>No difference is shown to be more than chance.</strong></p>",
        ),
        # A point and a half: outside of today's interval over faces, and what another seed does.
        (
            0.5462,
            "+1.50",
            SPREAD,
            "<strong>No difference is shown to be more than chance.</strong></p>",
        ),
        (
            *(0.5462, "+1.50", None),
            "<strong>No difference is shown to be more than chance.</strong> Other faces alone would "
            "not explain accuracy on Testing faces (+1.50 points), but how much another seed",
        ),
        (
            *(0.6112, f"{MINUS}5.00", SPREAD),
            f"explains:</strong> accuracy on Testing faces ({MINUS}5.00 points): more than other faces",
        ),
    ],
)
def test_page_says_how_metrics_moved_since_the_acceptance(
    tmp_path: Path, before: float, difference: str, spread: SeedSpread | None, result: str
) -> None:
    write_reports(tmp_path)
    then = accepted_when(before, outcomes=True)
    page = text_of(page_of(model_from(tmp_path), accepted=then, seed_spread={"scratch": spread}))
    assert "ann accepted 1,234 decisions on 2026-01-31 at 10:00:00 UTC." in page
    changes = page.split('<section id="changes">')[1].split("</section>")[0]
    row = changes.split("accuracy on Testing faces</th>")[1].split("</tr>")[0]
    assert f'<td>{difference}<small class="wraps">' in row
    assert ("faces alone" in row) == (spread is None)
    assert result in changes


def test_without_the_predictions_of_then_the_page_claims_nothing(tmp_path: Path) -> None:
    write_reports(tmp_path)
    then = accepted_when(0.4)
    page = text_of(page_of(model_from(tmp_path), accepted=then, seed_spread={"scratch": SPREAD}))
    assert "<strong>Nothing can be said to be more than chance:</strong> the predictions of" in page
    assert "More than chance explains" not in page
    row = page.split("accuracy on Testing faces</th>")[1].split("</tr>")[0]
    assert "not paired" in row


def test_models_that_were_not_measured_then_are_not_compared(tmp_path: Path) -> None:
    write_reports(tmp_path)
    write_reports(tmp_path, name="compact", title="Second")
    models = [model_from(tmp_path), model_from(tmp_path, "compact")]
    page = page_of(*models, accepted=accepted_when(0.5, model="compact"))
    changes = page.split('<section id="changes">')[1].split("</section>")[0]
    assert "Second" in changes
    assert "Eleven-layer" not in changes
    page = page_of(*models, accepted=accepted_when(0.5, model="gone"))
    assert "None of today's models was measured then." in page
