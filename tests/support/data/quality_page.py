"""Takes the page about the data apart, for its tests."""

import re
from html import unescape

from fer_data.quality_report.findings import Findings
from fer_data.quality_report.quality_report import quality_page
from fer_data.web.html import UNKNOWN
from tests.support.data.findings import EXPRESSIONS


def page_of(
    made: Findings, *, max_faces: int = 300, max_pairs: int = 60, retired: tuple[str, ...] = ()
) -> str:
    limits = {"max_faces": max_faces, "max_pairs": max_pairs}
    page = quality_page(made, expressions=EXPRESSIONS, retired=retired, **limits)
    return re.sub(r"\s*\n\s*", " ", page)


def cards(page: str) -> dict[str, tuple[str, str]]:
    found = re.findall(
        r"<dt>(.*?)</dt><dd class=\"number\">(.*?)</dd><dd class=\"aside\">(.*?)</dd>", page
    )
    return {name: (number, aside) for name, number, aside in found}


def shown_queue(page: str) -> list[tuple[str, str]]:
    """The given label and the issue of each face of the queue, in order."""
    return re.findall(r'<li data-label="(\w+)" data-issue-type="(\w+)">', page)


def section(page: str, name: str) -> str:
    return page.split(f'<section id="{name}">')[1].split("</section>")[0]


def text(html: str) -> str:
    """What a reader sees, with plain spaces and dashes."""
    words = unescape(re.sub(r"<[^>]*>", " ", html)).replace(UNKNOWN, "-")
    return " ".join(words.split())
