import shutil
import zipfile
from pathlib import Path

import pytest

from fer_data.ingestion import ingest
from fer_data.stages.drawn_faces import are_drawn
from fer_data.synthetic.drawn_archive import write_sample
from tests.support.data.archives import ARCHIVE, FACES, enter_workspace, good_members, write_archive

MANIFEST = FACES / "manifest.parquet"


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter_workspace(tmp_path, monkeypatch)


def test_a_drawn_archive_marks_the_manifest_made_of_it(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.zip", num_faces=200)
    ARCHIVE.parent.mkdir(parents=True)
    shutil.copyfile(tmp_path / "sample.zip", ARCHIVE)
    ingest.main()
    assert are_drawn(MANIFEST)


def test_other_archives_mark_nothing() -> None:
    write_archive(ARCHIVE, good_members())
    with zipfile.ZipFile(ARCHIVE, "a") as archive:
        archive.comment = b"of the web"
    ingest.main()
    assert MANIFEST.is_file()
    assert not are_drawn(MANIFEST)


def test_what_is_missing_or_broken_is_not_drawn(tmp_path: Path) -> None:
    assert not are_drawn(tmp_path / "absent.parquet")
    (tmp_path / "broken.parquet").write_text("none")
    assert not are_drawn(tmp_path / "broken.parquet")
