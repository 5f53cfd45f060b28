"""The chat templates that llama.cpp collects: each family is known, and what its model writes is read rightly.

They are read from the source archive of llama-cpp-python, which pip fetches; none is kept in this project.
"""

import subprocess
import sys
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pytest

from homogaudit.errors import ModelError
from homogaudit.questions.prompts import PromptRenderer
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import GenerationState, Prompting

from ..patience import PATIENCE

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HM = "Which sea? hm."

TURNS = {
    "think": f"<think>\n{HM}\n</think>\n\nAral",
    "granite": f"<think>{HM}</think><response>Aral</response>",
    "harmony": f"<|channel|>analysis<|message|>{HM}<|end|><|start|>assistant<|channel|>final<|message|>Aral",
    "muse": f" to=self<|message|>{HM}<|eom|><|start|>assistant to=user<|message|>Aral",
    "solar": f"<|think|>{HM}<|end|><|begin|>assistant<|content|>Aral<|end|>",
    "kimi_k3": f"<|open|>think<|sep|>{HM}<|close|>think<|sep|><|open|>response<|sep|>Aral<|close|>response<|sep|>",
    "cohere": f"<|START_THINKING|>{HM}<|END_THINKING|><|START_TEXT|>Aral<|END_TEXT|>",
    "gemma4": f"<|channel>thought\n{HM}\n<channel|>Aral",
    "apriel": f"{HM}\n[BEGIN FINAL RESPONSE]\nAral\n[END FINAL RESPONSE]",
    "mistral": f"[THINK]{HM}[/THINK]Aral",
    "seed": f"<seed:think>{HM}</seed:think>Aral",
    "minimax": f"<mm:think>{HM}</mm:think>Aral",
    "hunyuan": f"<think:opensource>{HM}</think:opensource>Aral",
    "apertus": f"<|inner_prefix|>{HM}<|inner_suffix|>Aral",
}
"""What a model of each family writes behind a prompt that leaves the thinking to it."""

FAMILIES = {
    "Apertus-8B-Instruct": "apertus",
    "Apriel-1.6-15b-Thinker-fixed": "apriel",
    "ByteDance-Seed-OSS": "seed",
    "Cohere2MoE": "cohere",
    "CohereForAI-c4ai-command-r7b-12-2024-tool_use": "cohere",
    "GLM-4.7-Flash": "think",
    "HuggingFaceTB-SmolLM3-3B": "think",
    "Kimi-K2-Thinking": "think",
    "Kimi-K3": "kimi_k3",
    "LFM2.5-8B-A1B": "think",
    "MiniMax-M2": "think",
    "MiniMax-M3": "minimax",
    "NVIDIA-Nemotron-Nano-v2": "think",
    "Qwen-Qwen3-0.6B": "think",
    "deepseek-ai-DeepSeek-V3.1": "think",
    "google-gemma-4-31B-it": "gemma4",
    "ibm-granite-granite-3.3-2B-Instruct": "granite",
    "mistralai-Ministral-3-14B-Reasoning-2512": "mistral",
    "muse-glimmer": "muse",
    "openai-gpt-oss-120b": "harmony",
    "tencent-Hy3": "hunyuan",
    "unsloth-Apriel-1.5": "apriel",
    "upstage-Solar-Open-100B": "solar",
    "Qwen-Qwen2.5-7B-Instruct": "",
    "google-gemma-2-2b-it": "",
    "microsoft-Phi-3.5-mini-instruct": "",
    "meta-llama-Llama-3.3-70B-Instruct": "",
}
"""What the models' own documents say, where the archive has their template; empty for one that does not think."""

ALWAYS_ON = {
    "Apriel-1.6-15b-Thinker-fixed",
    "MiniMax-M2",
    "StepFun3.5-Flash",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
    "llama-cpp-deepseek-r1",
}
"""Templates that open thinking whatever they are told."""


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("source")
    wanted = f"llama-cpp-python=={version('llama-cpp-python')}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python"]
    try:
        subprocess.run([*command, "--dest", str(folder), wanted], check=True, capture_output=True, timeout=PATIENCE)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"pip does not fetch the source of {wanted}: {error}")
    found: dict[str, str] = {}
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if path.match("models/templates/*.jinja") and (content := archive.extractfile(member)) is not None:
                found[path.stem] = content.read().decode()
    if not found:
        pytest.skip(f"the source of {wanted} holds no templates")
    return found


def renderer(template: str, *, thinking: bool) -> PromptRenderer | None:
    """Return what renders a template, `None` where it works with tools alone."""
    prompting = Prompting(thinking=thinking, all_switches=True)
    try:
        return PromptRenderer(prompting, chat_template=template, now=NOW, bos_token="<s>", eos_token="</s>")
    except ModelError:
        return None


def test_the_family_of_every_template_is_known(templates: Mapping[str, str]) -> None:
    found: dict[str, str] = {}
    for name, template in templates.items():
        if made := renderer(template, thinking=False):
            assert not made.thinking.unknown, name
            found[name] = next(iter(made.thinking.families), "")
    assert len(found) > 50
    expected = {name: family for name, family in FAMILIES.items() if name in templates}
    assert expected
    assert {name: found[name] for name in expected} == expected


def test_thinking_is_off_wherever_a_template_can_turn_it_off(templates: Mapping[str, str]) -> None:
    for name, template in templates.items():
        if made := renderer(template, thinking=False):
            assert made.render("Which sea dries up?").starts_in_thinking == (name in ALWAYS_ON), name


@pytest.mark.parametrize("thinking", [False, True])
def test_what_a_model_of_every_template_writes_is_read_rightly(
    templates: Mapping[str, str], thinking: bool, tmp_path: Path
) -> None:
    for name, template in templates.items():
        made = renderer(template, thinking=thinking)
        if made is None or not made.thinking.families:
            continue
        prompt = made.render("Which sea dries up?")
        turn = TURNS[made.thinking.families[0]]
        written = turn[turn.index(HM) :] if prompt.starts_in_thinking else turn
        parsed = split_thinking(written, Prompting(), prompt.starts_in_thinking, prompt.families)
        assert (parsed.answer, parsed.state) == ("Aral", GenerationState.VALID), name
        if made.thinking.families[0] != "apriel" or prompt.starts_in_thinking:
            cut = written[: written.index("sea")]
            parsed = split_thinking(cut, Prompting(), prompt.starts_in_thinking, prompt.families)
            assert parsed.state is GenerationState.THINKING_UNCLOSED, name
        plain = split_thinking("Aral", Prompting(), False, prompt.families)
        assert (plain.answer, plain.family) == ("Aral", ""), name
