import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homogaudit.errors import ModelError
from homogaudit.generation.devices import LlamaDevice
from homogaudit.generation.llama_model import LlamaModel
from homogaudit.generation.llama_sequences import LlamaSequences

TEXTS = ["Hello, world", "  two  spaces\n\n", "naïve café 中文 😀", "<|im_end|> is text", "x", ""]


@pytest.fixture(scope="module")
def model(demo_model: Path) -> Iterator[LlamaModel]:
    model = LlamaModel(demo_model)
    yield model
    model.close()


@pytest.fixture(scope="module")
def model_f16(smollm_f16: Path) -> Iterator[LlamaModel]:
    model = LlamaModel(smollm_f16)
    yield model
    model.close()


def test_the_share_of_the_logits_is_that_of_their_matrix(model: LlamaModel) -> None:
    # SmolLM2-135M: 49,152 tokens, 576 wide, 134.5 million weights in all, embeddings and logits sharing theirs.
    assert model.logits_share == pytest.approx(49_152 * 576 / 134.515e6, rel=1e-4)


# Files that are no models


def refused(path: Path) -> ModelError:
    with pytest.raises(ModelError) as error:
        LlamaModel(path)
    assert "\n" not in error.value.message
    assert f"`{path}`" in error.value.message
    return error.value


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "absent.gguf").message


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    assert "irectory" in refused(tmp_path).message


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.gguf"
    path.touch()
    error = refused(path)
    assert error.message.endswith("is empty")
    assert error.hint


def test_a_text_file_with_the_suffix_is_no_gguf_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.gguf"
    path.write_text("GGU is not what this file begins with\n" * 100)
    error = refused(path)
    assert error.message.endswith("is not a GGUF file")
    assert error.hint


def test_a_file_with_nothing_behind_the_magic_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "magic.gguf"
    path.write_bytes(b"GGUF")
    assert "cannot load" in refused(path).message


def test_a_file_cut_in_half_is_refused_with_the_reason(demo_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    with demo_model.open("rb") as whole:
        path.write_bytes(whole.read(demo_model.stat().st_size // 2))
    error = refused(path)
    path.unlink()
    # llama.cpp's own words, without its prefix.
    assert "not within the file bounds" in error.message
    assert "gave no reason" not in error.message
    assert error.hint


def test_a_refused_file_leaves_the_library_usable(model: LlamaModel, tmp_path: Path) -> None:
    path = tmp_path / "magic.gguf"
    path.write_bytes(b"GGUF" + b"\xff" * 100)
    for _ in range(3):
        refused(path)
    sequences = LlamaSequences(model, sequences=2, cells=256, threads=1)
    assert sequences.prefill(0, [1, 2, 3], 0).shape == (model.vocabulary,)
    sequences.close()


@pytest.mark.parametrize("offset", [4, 1024])
def test_a_damaged_header_never_loads(demo_model: Path, tmp_path: Path, offset: int) -> None:
    path = tmp_path / "damaged.gguf"
    with demo_model.open("rb") as whole:
        content = bytearray(whole.read())
    content[offset : offset + 1024] = np.random.default_rng(0).bytes(1024)
    path.write_bytes(content)
    # llama.cpp may abort its process here, so it gets one of its own.
    program = (
        "import sys; from pathlib import Path\n"
        "from homogaudit.errors import ModelError\n"
        "from homogaudit.generation.llama_model import LlamaModel\n"
        "try: LlamaModel(Path(sys.argv[1]))\n"
        "except ModelError as error: print(error.message); sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    path.unlink()
    assert done.returncode != 0
    if done.returncode == 3:
        assert len(done.stdout.splitlines()) == 1
        assert "cannot load" in done.stdout
    else:
        # A signal, not a Python traceback.
        assert done.returncode < 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_a_path_that_is_not_utf_8_loads(demo_model: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.gguf"))
    path.symlink_to(demo_model)
    LlamaModel(path).close()


# Layers on the GPU


class Loads:
    """Stands before the real loader: fails for more layers than fit, and notes what was tried."""

    def __init__(self, load: Any, fits: int) -> None:
        self._load = load
        self._fits = fits
        self.tried: list[int] = []

    def __call__(self, path: bytes, parameters: Any) -> object:
        if parameters.vocab_only:
            return self._load(path, parameters)
        self.tried.append(parameters.n_gpu_layers)
        return self._load(path, parameters) if parameters.n_gpu_layers <= self._fits else None


ALL_LAYERS = 2**31 - 1


def loads(monkeypatch: pytest.MonkeyPatch, *, fits: int, gpu: bool = True) -> Loads:
    import llama_cpp

    devices = [LlamaDevice("CPU", "", "cpu", None, None)] + [LlamaDevice("GPU0", "", "gpu", 1, 1)] * gpu
    monkeypatch.setattr("homogaudit.generation.llama_model.llama_devices", lambda: devices)
    loader = Loads(llama_cpp.llama_model_load_from_file, fits)
    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", loader)
    return loader


@pytest.mark.parametrize(
    ("fits", "tried"),
    # SmolLM2-135M has 30 layers: three quarters, half, a quarter, none.
    [(ALL_LAYERS, [ALL_LAYERS]), (25, [ALL_LAYERS, 22]), (7, [ALL_LAYERS, 22, 15, 7]), (0, [ALL_LAYERS, 22, 15, 7, 0])],
)
def test_fewer_layers_are_tried_when_all_do_not_fit(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch, fits: int, tried: list[int]
) -> None:
    loader = loads(monkeypatch, fits=fits)
    model = LlamaModel(demo_model)
    assert loader.tried == tried
    assert model.gpu_layers == tried[-1]
    assert model.layers == 30
    model.close()


def test_layers_that_were_asked_for_are_not_reduced(demo_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = loads(monkeypatch, fits=7)
    with pytest.raises(ModelError, match="cannot load"):
        LlamaModel(demo_model, gpu_layers=12)
    with pytest.raises(ModelError, match="cannot load"):
        LlamaModel(demo_model, gpu_layers=-1)
    LlamaModel(demo_model, gpu_layers=5).close()
    assert loader.tried == [12, ALL_LAYERS, 5]


@pytest.mark.parametrize("asked", [None, -1, 0, 12])
def test_without_a_gpu_no_layers_are_offloaded(
    demo_model: Path, monkeypatch: pytest.MonkeyPatch, asked: int | None
) -> None:
    loader = loads(monkeypatch, fits=0, gpu=False)
    model = LlamaModel(demo_model, gpu_layers=asked)
    assert loader.tried == [0]
    assert model.gpu_layers == 0
    model.close()


# Facts of the file


def test_the_facts_of_the_packaged_model_are_read(model: LlamaModel, demo_model: Path) -> None:
    # From the model card's config.json: 30 layers, 3 key-value heads of 64, a vocabulary of 49,152, context 8192.
    assert (model.layers, model.vocabulary, model.train_context) == (30, 49152, 8192)
    assert not model.is_recurrent
    # Keys and values, float16: 30 x 3 x 64 x 2 x 2 bytes.
    assert model.cache_bytes_per_token == 23040
    assert 0.9 * demo_model.stat().st_size < model.size < demo_model.stat().st_size
    assert model.chat_template is not None
    assert "<|im_start|>" in model.chat_template
    assert (model.bos_text, model.eos_text) == ("<|im_start|>", "<|im_end|>")
    assert model.metadata("general.architecture") == "llama"
    assert model.metadata("no.such.key") is None
    assert "llama" in model.description


def test_a_model_without_a_template_has_none(gemma: Path) -> None:
    model = LlamaModel(gemma)
    assert model.chat_template is None
    assert model.bos_text == "<bos>"
    assert not model.is_recurrent
    # Gemma 3 270M: 18 layers, one key-value head of 256, which is not the width over the heads: 18 x 256 x 2 x 2.
    assert model.cache_bytes_per_token == 18432
    model.close()


# Tokens


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_spell_the_text_that_was_tokenized(model: LlamaModel, text: str) -> None:
    tokens = model.tokenize(text)
    assert b"".join(map(model.piece, tokens)).decode() == text
    assert not any(map(model.ends, tokens))


def test_control_tokens_end_an_answer_and_write_nothing(model: LlamaModel) -> None:
    (end,) = model.tokenize("<|im_end|>", parse_special=True)
    assert model.ends(end)
    assert model.ends(end)
    assert model.piece(end) == b""


def test_lone_surrogates_are_tokenized_as_question_marks(model: LlamaModel) -> None:
    assert model.tokenize("a\udcffb") == model.tokenize("a?b")


def test_a_marker_that_is_one_token_is_shown(demo_model: Path) -> None:
    model = LlamaModel(demo_model)
    (token,) = model.tokenize("<|im_start|>", parse_special=True)
    assert model.piece(token) == b""
    model.show_marker("<|im_start|>")
    assert model.piece(token) == b"<|im_start|>"
    # Several tokens, or none: their pieces stay as they are.
    pieces = [model.piece(token) for token in model.tokenize("<think>")]
    model.show_marker("<think>")
    model.show_marker("")
    assert [model.piece(token) for token in model.tokenize("<think>")] == pieces
    assert b"".join(pieces) == b"<think>"
    model.close()
