import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from homogaudit.clustering.answer_pairs import AnswerPair, load_answer_pairs, pair_cosines
from homogaudit.errors import UsageError

PAIR = {"question": "Who?", "a": "Ada", "b": "It was Ada.", "same": True, "kind": "paraphrase"}


class FlatEmbedder:
    """A text is a point on the unit circle, by its length; counts what it embeds."""

    name = "flat"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += texts
        angles = np.asarray([len(text) for text in texts], dtype=np.float64)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_cosines_are_those_of_the_two_texts_and_each_text_is_embedded_once() -> None:
    pairs = [AnswerPair("?", "ab", "cde", False, "other"), AnswerPair("?", "cde", "ab", False, "other")]
    embedder = FlatEmbedder()
    # angles 2 and 3 radians
    np.testing.assert_allclose(pair_cosines(pairs, embedder), [np.cos(1.0)] * 2, atol=1e-6)
    assert embedder.embedded == ["ab", "cde"]


def test_a_file_of_pairs_is_read_with_its_checksum(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIR) + "\n\n", encoding="utf-8")
    found = load_answer_pairs(file)
    assert found.pairs == (AnswerPair(**PAIR),)
    assert len(found.sha256) == 64


def test_a_pair_may_tell_its_subject_and_its_source(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIR | {"subject": "history", "source": "run"}), encoding="utf-8")
    (pair,) = load_answer_pairs(file).pairs
    assert (pair.subject, pair.source) == ("history", "run")


@pytest.mark.parametrize("same", [True, False])
def test_most_kinds_of_pair_may_mean_the_same_or_not(tmp_path: Path, same: bool) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIR | {"kind": "unit", "same": same}), encoding="utf-8")
    assert load_answer_pairs(file).pairs[0].same is same


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        "{}",
        json.dumps(PAIR | {"a": ""}),
        json.dumps(PAIR | {"b": 3}),
        json.dumps(PAIR | {"kind": "date"}),
        json.dumps(PAIR | {"same": False}),
        json.dumps(PAIR | {"same": "yes"}),
        json.dumps(PAIR | {"kind": "other"}),
        json.dumps(PAIR | {"subject": 3}),
        json.dumps(PAIR | {"source": "web"}),
        json.dumps(PAIR | {"more": 1}),
    ],
)
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(PAIR) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 2"):
        load_answer_pairs(file)


def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load_answer_pairs(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="UTF-8"):
        load_answer_pairs(tmp_path / "latin.jsonl")
