import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from homogaudit.generation.fingerprint import (
    Fingerprint,
    file_sha256,
    fingerprint,
    folder_fingerprint,
    model_fingerprint,
)

MIB = 1 << 20


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 17])
def test_head_and_tail_are_a_mebibyte_each_or_the_whole_file(tmp_path: Path, size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    path = written(tmp_path / "model.gguf", content)
    assert fingerprint(path) == Fingerprint(size, sha256(content[:MIB]), sha256(content[max(0, size - MIB) :]))
    assert file_sha256(path) == sha256(content)


def test_only_the_whole_hash_sees_the_middle(tmp_path: Path) -> None:
    content = bytearray(3 * MIB)
    first = written(tmp_path / "a", content)
    content[MIB + MIB // 2] = 1
    second = written(tmp_path / "b", content)
    assert fingerprint(first) == fingerprint(second)
    assert file_sha256(first) != file_sha256(second)
    content[5] = 1
    assert fingerprint(written(tmp_path / "c", content)) != fingerprint(first)
    assert fingerprint(written(tmp_path / "d", bytes(3 * MIB + 1))) != fingerprint(first)


def test_a_fingerprint_goes_into_json(tmp_path: Path) -> None:
    path = written(tmp_path / "model.gguf", b"GGUF")
    assert Fingerprint(**json.loads(json.dumps(model_fingerprint(path)))) == fingerprint(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "absent.gguf")


def test_a_folder_is_told_by_its_weights_and_configurations(tmp_path: Path) -> None:
    def folder(name: str, **files: str) -> Path:
        (tmp_path / name).mkdir()
        for file, content in files.items():
            written(tmp_path / name / file.replace("__", "."), content.encode())
        return tmp_path / name

    first = folder_fingerprint(folder("a", config__json="{}", model__safetensors="weights", README__md="one"))
    assert len(first) == 8
    assert int(first, 16) >= 0
    # Its own name and what is no part of the model do not count.
    assert folder_fingerprint(folder("b", model__safetensors="weights", config__json="{}", README__md="two")) == first
    assert folder_fingerprint(folder("c", config__json="{}", model__safetensors="others")) != first
    assert folder_fingerprint(folder("d", config__json="{ }", model__safetensors="weights")) != first
    assert folder_fingerprint(folder("e", other__json="{}", model__safetensors="weights")) != first
