"""Files that hold answers but are no text: named for what they are, by their first bytes, and never opened.

A pickle runs the code of whoever wrote it when it is opened, so none is; nothing here reads more than names.
"""

import zipfile
from pathlib import Path

from homogaudit.errors import RecordedFileError
from homogaudit.store.recorded import opened

_JSON_LINES = "write its answers as JSON Lines: `homogaudit guide recorded` shows the format"

_PICKLE = "a Python pickle, which can run any code when it is opened, so it is not opened"
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"SQLite format 3\0", "a database", "a run file is shown with `homogaudit report FILE`"),
    (b"GGUF", "a model file", "answers are drawn with `homogaudit run FILE`"),
    (b"\x93NUMPY", "a NumPy array, which can hold a pickle, so it is not opened", _JSON_LINES),
    (b"\x89HDF\r\n", "an HDF5 file", _JSON_LINES),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"%PDF", "a PDF", _JSON_LINES),
    (b"\xd0\xcf\x11\xe0", "an old Office file", "save it as CSV (UTF-8)"),
    (b"RDX", "an R data file", _JSON_LINES),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch the file: `git lfs pull`"),
)
_READ_ELSEWHERE = (
    *(b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"),
    *(b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0"),
    *(b"\xff\xfe", b"\xfe\xff"),
)
"""Tables that are no text, compressed files and UTF-16: question files come in them too."""

_PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLED_SUFFIXES = frozenset({".pkl", ".pickle", ".p", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".man", ".dill"})


def refuse_what_is_no_text(path: Path) -> None:
    """Check that a file can be text.

    Raises:
        RecordedFileError: It is not; the message names what it is.
    """
    with opened(path) as stream:
        head = stream.read(512)
    if head.startswith(b"PK\x03\x04"):
        if any(name.startswith("xl/") for name in archive_names(path)):
            return
        raise RecordedFileError(*_of_zip(path))
    if head.startswith(_READ_ELSEWHERE):
        return
    suffix = path.suffix.lower()
    # Protocol 2 and later begin with their number; older pickles and what wraps one show by their suffix.
    if head.startswith(_PROTOCOLS) or (suffix in _PICKLED_SUFFIXES and head):
        what = "an lm-polygraph archive, " + _PICKLE if suffix == ".man" else _PICKLE
        raise RecordedFileError(f"`{path}` is {what}", _JSON_LINES)
    for magic, what, hint in _KINDS:
        if head.startswith(magic):
            raise RecordedFileError(f"`{path}` is {what}", hint)
    if b"\0" in head:
        raise RecordedFileError(f"`{path}` is not text (it holds NUL bytes)", _JSON_LINES)


def archive_names(path: Path) -> list[str]:
    """Return the names of the files in a zip archive, none for what is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return []


def _of_zip(path: Path) -> tuple[str, str]:
    """Return the message and the hint for a zip archive."""
    names = archive_names(path)
    if not names:
        return f"`{path}` is a zip archive that cannot be read: it may be cut off", "copy it again"
    if any(name.endswith("data.pkl") for name in names):
        whose = "an lm-polygraph archive" if path.suffix.lower() == ".man" else "a PyTorch archive"
        return f"`{path}` is {whose} with {_PICKLE}", _JSON_LINES
    if any(name.endswith(".npy") for name in names):
        return f"`{path}` is a NumPy archive (.npz), which can hold a pickle, so it is not opened", _JSON_LINES
    return f"`{path}` is a zip archive", "unpack it, and name a file in it"
