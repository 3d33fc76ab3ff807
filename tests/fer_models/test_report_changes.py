"""What the page about the models says of how they moved since decisions were accepted."""

from pathlib import Path

import pytest

from tests.fer_models.reports import accepted_when, model_from, page_of, text_of, write_reports

MINUS = "\N{MINUS SIGN}"


def test_without_accepted_decisions_nothing_is_compared(tmp_path: Path) -> None:
    write_reports(tmp_path)
    page = text_of(page_of(model_from(tmp_path)))
    assert "No decisions were accepted yet" in page
    assert "<code>dvc metrics diff</code>" in page


@pytest.mark.parametrize(
    ("before", "difference", "place", "verdict"),
    [
        (0.5602, "+0.10", "inside", "All differences lie within the 95&#8239;% interval"),
        (0.5612, "±0.00", "inside", "All differences lie within the 95&#8239;% interval"),
        (
            *(0.5812, f"{MINUS}2.00", "outside"),
            f"explains:</strong> accuracy on Testing faces ({MINUS}2.00 points). The other",
        ),
    ],
)
def test_page_says_how_metrics_moved_since_the_acceptance(
    tmp_path: Path, before: float, difference: str, place: str, verdict: str
) -> None:
    write_reports(tmp_path)
    page = text_of(page_of(model_from(tmp_path), accepted=accepted_when(before)))
    assert "ann accepted 1,234 decisions on 2026-01-31 at 10:00:00 UTC." in page
    row = page.split("accuracy on Testing faces</th>")[1].split("</tr>")[0]
    assert f"<td>{difference}<small>{place}</small></td>" in row
    assert verdict in page


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
