import json
from pathlib import Path

import numpy as np
import pytest

from homogaudit.clustering.embedders import SentenceTransformersEmbedder, batches_of_a_length
from homogaudit.clustering.similarity import cosine_similarity
from homogaudit.config import load_models, resolve_embedder
from homogaudit.errors import EmbedderError, UsageError


@pytest.fixture(scope="module")
def minilm() -> SentenceTransformersEmbedder:
    try:
        packaged = resolve_embedder(None, load_models())
    except UsageError:
        pytest.skip("the packaged MiniLM is not installed (extra `demo`)")
    return SentenceTransformersEmbedder("minilm", packaged.location, device="cpu")


def test_the_packaged_embedder_gives_unit_rows_even_for_empty_texts(minilm: SentenceTransformersEmbedder) -> None:
    rows = minilm.embed(["Paris is the capital of France.", "", " "])
    assert rows.dtype == np.float32
    assert rows.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert minilm.embed([]).shape == (0, 384)


def test_the_packaged_embedder_puts_paraphrases_above_other_facts(minilm: SentenceTransformersEmbedder) -> None:
    similarity = cosine_similarity(
        minilm.embed(["Paris is the capital of France.", "France's capital is Paris.", "Seeds pass through you."])
    )
    assert similarity[0, 1] > 0.85 > similarity[0, 2]


def test_a_missing_folder_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="embedder `mine` not found") as caught:
        SentenceTransformersEmbedder("mine", tmp_path / "absent")
    assert caught.value.hint


def test_a_folder_without_a_model_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="cannot be loaded") as caught:
        SentenceTransformersEmbedder("mine", tmp_path)
    assert "\n" not in caught.value.message


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]))
    with pytest.raises(EmbedderError, match=r"code of its own: `evil\.Module`"):
        SentenceTransformersEmbedder("mine", tmp_path)


def test_an_id_that_is_not_in_the_cache_is_not_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EmbedderError, match="cannot be loaded") as caught:
        SentenceTransformersEmbedder("mine", "nobody/no-such-embedder")
    assert "hf download nobody/no-such-embedder" in (caught.value.hint or "")


def test_a_long_text_is_no_batch_of_short_ones_and_each_keeps_its_row(minilm: SentenceTransformersEmbedder) -> None:
    assert batches_of_a_length([], 2) == []
    # 100 and 50 share one, 49 is shorter than half of 100; a batch holds two at most.
    assert batches_of_a_length([49, 100, 10, 50, 48, 47, 0], 2) == [[1, 3], [0, 4], [5], [2], [6]]
    texts = ["Paris.", "The capital of France is Paris, as everybody knows. " * 20, "", "Lyon is a city.", "Seeds"]
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    np.testing.assert_allclose(minilm.embed(texts), alone, atol=1e-5)
