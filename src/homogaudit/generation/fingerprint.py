"""What tells one model file from another without reading all of it."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Fingerprint", "fingerprint"]

_EDGE = 1 << 20
"""Bytes read at either end: the head holds the header and tokenizer, the tail the last tensor."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Size in bytes and SHA-256 of the first and last MiB; of the whole file where it was asked for."""

    size: int
    head_sha256: str
    tail_sha256: str
    sha256: str | None = None

    def to_json(self) -> dict[str, str | int | None]:
        """Return the fields as a JSON object."""
        return asdict(self)


def fingerprint(path: Path, *, whole: bool = False) -> Fingerprint:
    """Return the fingerprint of a file.

    Args:
        path: The file.
        whole: Whether to hash all of it, which takes seconds a gigabyte.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(_EDGE)).hexdigest()
        size = file.seek(0, 2)
        file.seek(max(0, size - _EDGE))
        tail = hashlib.sha256(file.read(_EDGE)).hexdigest()
        if not whole:
            return Fingerprint(size, head, tail)
        file.seek(0)
        return Fingerprint(size, head, tail, hashlib.file_digest(file, "sha256").hexdigest())
