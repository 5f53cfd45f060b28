"""What tells one model file or folder from another without reading all of it."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_EDGE = 1 << 20
"""Bytes read at either end: the head holds the header and tokenizer, the tail the last tensor."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Size in bytes and SHA-256 of the first and last MiB."""

    size: int
    head_sha256: str
    tail_sha256: str


def fingerprint(path: Path) -> Fingerprint:
    """Return the fingerprint of a file.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(_EDGE)).hexdigest()
        size = file.seek(0, 2)
        file.seek(max(0, size - _EDGE))
        tail = hashlib.sha256(file.read(_EDGE)).hexdigest()
    return Fingerprint(size, head, tail)


def file_key(path: Path) -> str:
    """Name a model file by its content, so that one that was replaced has another name.

    Raises:
        OSError: The file cannot be read.
    """
    found = fingerprint(path)
    return f"{found.size}-{found.head_sha256[:16]}-{found.tail_sha256[:16]}"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a whole file, or of the weights in a folder, which takes seconds a gigabyte.

    A folder's is that of a text with the SHA-256 and the name of each weight file a line, as `sha256sum` writes it.

    Raises:
        OSError: The file cannot be read.
    """
    if path.is_dir():
        lines = [f"{file_sha256(file)}  {file.name}\n" for file in sorted(path.glob("*.safetensors"))]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_fingerprint(folder: Path) -> str:
    """Return eight hex digits that tell one model folder from another: its weights' and configurations' edges.

    Raises:
        OSError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".safetensors", ".json", ".txt", ".model", ".jinja") and path.is_file():
            digest.update(repr((path.relative_to(folder).as_posix(), fingerprint(path))).encode())
    return digest.hexdigest()[:8]


def model_fingerprint(path: Path) -> dict[str, Any]:
    """Return what tells a generator's file or folder from another, as a JSON object.

    Raises:
        OSError: A file cannot be read.
    """
    return {"folder": folder_fingerprint(path)} if path.is_dir() else asdict(fingerprint(path))
