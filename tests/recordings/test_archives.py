"""Files that hold answers but are no text are named for what they are."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.errors import RecordedFileError
from homogaudit.recordings import read_recording

from .conftest import Refused


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("the pickle was opened",))


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, pickle.dumps(Bomb()))
    return buffer.getvalue()


def saved(array: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, answers=np.array([array], dtype=object))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pkl", pickle.dumps(Bomb()), "a Python pickle"),
        ("a.jsonl", pickle.dumps(Bomb(), protocol=2), "a Python pickle"),
        ("old.pickle", pickle.dumps(Bomb(), protocol=0), "a Python pickle"),
        ("run.man", zipped("run/data.pkl", "run/version"), "an lm-polygraph archive with a Python pickle"),
        ("run.man", pickle.dumps(Bomb()), "an lm-polygraph archive, a Python pickle"),
        ("run.pt", zipped("run/data.pkl"), "a PyTorch archive"),
        ("a.npz", saved("x"), "a NumPy archive"),
        ("a.zip", zipped("a.jsonl"), "a zip archive"),
        ("a.audit", b"SQLite format 3\0" + bytes(100), "a database"),
        ("a.gguf", b"GGUF" + bytes(60), "a model file"),
        ("a.bin", b"\x01\x02\0\0", "a Python pickle"),
        ("a.dat", b"abc\0def", "not text"),
        ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
    ],
)
def test_it_is_named_and_never_opened(refused: Refused, name: str, content: bytes, words: str):
    error = refused(name, content)
    assert f"`{name}`" in error.message.replace("/", "`")
    assert words in error.message
    assert error.hint


@given(st.binary(max_size=200), st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.eval", "a"]))
def test_no_bytes_raise_anything_but_our_error(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str):
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(content)
    with pytest.raises(RecordedFileError):
        read_recording(path, parse_answer=None)
