"""Any bytes are a bundle or one line; what a bundle gives out is what it lists."""

import io
import json
import tempfile
import warnings
import zipfile
from hashlib import sha256
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from fer_data.core.errors import UserError
from fer_models.inference.bundle_reader import CONTENTS, VERSION, Bundle
from fer_models.inference.sources import FILES
from tests.support.data.archives import EXPRESSIONS
from tests.support.hostile import CHANGES, ODD, TEXTS, flipped, outcome

FILE_BYTES = {name: name.encode() * 20 for name in FILES}
"""Of a bundle's files; Keras is asked only once their checksums are right."""
NAMES = TEXTS | ODD | st.sampled_from(["scratch", "../x", CONTENTS, f"models/scratch/{FILES[0]}"])


def listing(**changes: object) -> bytes:
    paths = {
        f"models/scratch/{name}": sha256(data).hexdigest() for name, data in FILE_BYTES.items()
    }
    contents = {
        "version": VERSION,
        "revision": None,
        "expressions": EXPRESSIONS,
        "models": ["scratch"],
        "sha256": paths,
    }
    return json.dumps(contents | changes).encode()


def zipped(members: list[tuple[str, bytes]], *, method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)  # of names that occur twice
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


BUNDLE = zipped(
    [(f"models/scratch/{name}", data) for name, data in FILE_BYTES.items()]
    + [(CONTENTS, listing())]
)
JSON = st.recursive(
    ODD | TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=4,
)
KEYS = st.sampled_from(["version", "models", "sha256", "expressions"])
LISTINGS = st.one_of(
    st.dictionaries(KEYS | NAMES, JSON, max_size=3).map(lambda changes: listing(**changes)),
    st.lists(NAMES, max_size=3).map(lambda names: listing(models=names)),
    st.binary(max_size=60),
)


def check(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "bundle.zip")
        file.write_bytes(data)
        bundle = outcome(lambda: Bundle.open(file))
        if not isinstance(bundle, UserError):
            for name in bundle.names:
                reason = bundle.error(name)
                assert reason is None or "\n" not in reason
                for file_name in FILES:
                    outcome(lambda name=name, file_name=file_name: read(bundle, name, file_name))
        assert [path.name for path in Path(scratch).iterdir()] == ["bundle.zip"]


def read(bundle: Bundle, name: str, file_name: str) -> None:
    with bundle.file_of(name, file_name) as copy:
        data = copy.read_bytes()
        assert sha256(data).hexdigest() == bundle.contents.sha256[f"models/{name}/{file_name}"]
        assert copy.name == file_name
    assert not copy.parent.exists()


@given(CHANGES, st.booleans())
def test_a_flipped_byte_is_noticed_or_means_nothing(
    changes: list[tuple[int, int]], at_end: bool
) -> None:
    if at_end:  # where the directory is
        changes = [(len(BUNDLE) - 1 - place % 600, value) for place, value in changes]
    check(flipped(BUNDLE, changes))


@example([], listing(**{"a\nb": 1}), zipfile.ZIP_STORED)
@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=20)), max_size=4),
    LISTINGS | st.just(listing()),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]),
)
def test_any_members_are_a_bundle_or_refused_in_one_line(
    members: list[tuple[str, bytes]], contents: bytes, method: int
) -> None:
    check(zipped([*members, (CONTENTS, contents)], method=method))


@given(st.binary(max_size=200) | st.binary(max_size=40).map(BUNDLE[:60].__add__))
def test_any_bytes_are_refused_in_one_line(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "bundle.zip")
        file.write_bytes(data)
        assert isinstance(outcome(lambda: Bundle.open(file)), UserError)
