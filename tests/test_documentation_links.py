"""Tests that each relative link and anchor of the documentation exists."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]


def pages() -> list[Path]:
    """Returns the tracked and new Markdown files outside of the tests and the template folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    found = [ROOT / name for name in listed if name and not name.startswith("tests/")]
    return sorted(page for page in found if page.is_file())


def text_of(page: Path) -> str:
    """Reads a page without its code blocks, whose `#` starts a comment and no heading."""
    return re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """Finds the targets of inline links and images that name no protocol."""
    targets = re.findall(r"\]\(([^()\s]+(?: [^()]+)?)\)", text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Makes the anchors of headings as GitHub does: lower case, hyphens, no punctuation."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 0
        while (candidate := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(candidate)
    return found


def broken(page: Path) -> list[str]:
    """Returns the links of a page that lead nowhere."""
    missing: list[str] = []
    for link in links(text_of(page)):
        name, _, anchor = unquote(link).partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(text_of(target))):
            missing.append(link)
    return missing


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_each_page_of_docs_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        names = [unquote(link).partition("#")[0] for link in links(text_of(page))]
        waiting += [page.parent / name for name in names if name]
    assert [
        page
        for page in pages()
        if "docs" in page.relative_to(ROOT).parts and page.resolve() not in reached
    ] == []


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One: `two`\n\n## One two\n\n[a](#one-two) [b](#one-two-1) [c](gone.md) [d](#gone)\n"
        "[e](https://example.org) [f](page.md#one-two) ![g](review app.png)\n"
    )
    assert broken(page) == ["gone.md", "#gone", "review app.png"]


def test_the_code_of_a_page_holds_no_heading(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\n# comment\n```\n\n[a](#comment)\n")
    assert broken(page) == ["#comment"]


def pages_of_today() -> list[Path]:
    """Returns the pages without those that record what was run at an earlier time."""
    return [page for page in pages() if not {"experiments", "CHANGELOG.md"} & set(page.parts)]


@pytest.mark.parametrize("page", pages_of_today(), ids=lambda page: str(page.relative_to(ROOT)))
def test_each_source_file_that_a_page_names_exists(page: Path) -> None:
    folders = "benchmarks|data|docs|fer_data|fer_models|flows|presets|tests"
    named = re.findall(rf"(?<![\w/.])((?:{folders})/[\w/]+\.(?:py|md))\b", page.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []
