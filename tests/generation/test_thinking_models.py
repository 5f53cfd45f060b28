"""What is stored of each family's answers, drawn from tiny models on both engines."""

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from homogaudit.generation.generator import DrawRequest
from homogaudit.questions.prompts import PromptRenderer
from homogaudit.questions.thinking_families import families
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, Prompting

HM = "Which sea? hm."
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROMPTING = Prompting(system="", all_switches=True)

TURNS = {
    "harmony": "<|start|>assistant<|channel|>analysis<|message|>{0}<|end|>"
    "<|start|>assistant<|channel|>final<|message|>{1}<|return|>",
    "muse": "<|start|>assistant to=self<|message|>{0}<|eom|><|start|>assistant to=user<|message|>{1}<|eot|>",
    "solar": "<|begin|>assistant<|think|>{0}<|end|><|begin|>assistant<|content|>{1}<|end|><|flush|>",
    "kimi_k3": "<|open|>think<|sep|>{0}<|close|>think<|sep|><|open|>response<|sep|>{1}<|close|>response<|sep|>"
    "<|close|>message<|sep|><|end_of_msg|>",
    "inkling": "<|message_model|><|content_thinking|>{0}<|end_message|>"
    "<|message_model|><|content_text|>{1}<|end_message|><|content_model_end_sampling|>",
    "cohere": "<|START_THINKING|>{0}<|END_THINKING|><|START_RESPONSE|>{1}<|END_RESPONSE|>",
    "gemma4": "<|channel>thought\n{0}\n<channel|>{1}<turn|>",
    "granite": "<think>{0}</think>\n<response>{1}</response>",
    "granite_prose": "Here is my thought process:\n{0}\nHere is my response:\n{1}",
    "apriel": "Here are my reasoning steps:\n{0}\n[BEGIN FINAL RESPONSE]\n{1}\n[END FINAL RESPONSE]",
    "mistral": "[THINK]{0}[/THINK]{1}",
    "seed": "<seed:think>\n{0}\n</seed:think>{1}",
    "minimax": "<mm:think>{0}</mm:think>\n\n{1}",
    "kimi": "◁think▷{0}◁/think▷{1}",
    "hunyuan": "<think>\n{0}\n</think>\n<answer>\n{1}\n</answer>",
    "longcat": "<longcat_think>{0}</longcat_think>{1}",
    "k2": "<ifm|think>{0}</ifm|think>{1}",
    "apertus": "<|inner_prefix|>{0}<|inner_suffix|>{1}",
    "plamo": "<|plamo:begin_think:plamo|>{0}<|plamo:end_think:plamo|>{1}",
    "pangu": "[unused16]{0}[unused17]{1}",
    "open_thoughts": "<|begin_of_thought|>{0}<|end_of_thought|>\n<|begin_of_solution|>{1}<|end_of_solution|>",
    "working_out": "<start_working_out>{0}<end_working_out><SOLUTION>{1}</SOLUTION>",
    "thinking": "<thinking>{0}</thinking>\n<output>{1}</output>",
    "thought": "<thought>\n{0}\n</thought>\n{1}",
    "reasoning": "<reasoning>{0}</reasoning>\n<answer>{1}</answer>",
    "think": "<think>\n{0}\n</think>\n\n{1}",
}
"""A whole turn of each family: thoughts and answer. That of s1 is made of control tokens that others use otherwise."""

OF_CHANNELS = {name for name in TURNS if families()[name].channels is not None}
SPEAKS = {"granite": "Answer between <response></response>. "}
"""What a template says where its markers alone do not tell the family."""


def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scripted_models", Path(__file__).with_name("scripted_models.py"))
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    # Its dataclass looks its module up.
    import sys

    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def scripted() -> ModuleType:
    pytest.importorskip("gguf")
    return module()


def control_tokens(name: str, pieces: str) -> list[str]:
    """Return the control tokens of a family: whole markers, halves of what opens, or none where bytes spell them."""
    family = families()[name]
    channels = [*family.tokens, *family.ends_message, *family.ends_answer]
    markers = [text for text in family.markers if text in TURNS[name]]
    if pieces == "one":
        return list(dict.fromkeys([*channels, *markers]))
    if pieces == "several":
        # What closes stays whole: a half of it would also be found in what opens.
        opens = [x for pairs in (family.pairs, family.wrappers) for x, _ in pairs if x in markers]
        halves = [part for text in opens for part in (text[: len(text) // 2], text[len(text) // 2 :])]
        return list(dict.fromkeys([*channels, *halves, *(text for text in markers if text not in opens)]))
    return channels


def template_of(name: str) -> str:
    turn = TURNS[name].format("{{ m.reasoning_content }}", "{{ m.content }}")
    return (
        f"{SPEAKS.get(name, '')}"
        f"{{% for m in messages %}}{{% if m.role == 'assistant' %}}{turn}"
        "{% else %}{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}\n>{% endif %}"
    )


def script_of(scripted: ModuleType, name: str, pieces: str) -> Any:
    template = template_of(name)
    prompt = PromptRenderer(PROMPTING, chat_template=template, now=NOW).render("q").text
    text = TURNS[name].format(HM, "Aral").removeprefix("<|start|>assistant").removeprefix("<|begin|>assistant")
    return scripted.Script(text, control_tokens(name, pieces), template, prompt)


def opened(scripted: ModuleType, engine: str, folder: Path, script: Any) -> Any:
    if engine == "gguf":
        from homogaudit.generation.llama_cpp import LlamaCppGenerator

        path = scripted.write_gguf(folder / "m.gguf", script)
        return LlamaCppGenerator(path, PROMPTING, now=NOW, gpu_layers=0, threads=1, slots=2)
    from homogaudit.generation.transformers_model import TransformersGenerator

    path = scripted.write_folder(folder / "m", script)
    return TransformersGenerator(path, PROMPTING, now=NOW, threads=1, slots=2, gpu_layers=0)


def drawn(generator: Any, limit: int) -> Iterator[Generation]:
    drawing = generator.draw(
        [DrawRequest("a", generator.prompt("q"), (GREEDY, 0))],
        Decoding(samples=1, max_tokens=limit, greedy_max_tokens=limit),
    )
    while not drawing.is_done:
        yield from drawing.step()


CASES = [
    (name, pieces)
    for name in TURNS
    for pieces in (("one",) if name in OF_CHANNELS or name == "granite_prose" else ("one", "several", "bytes"))
]


@pytest.mark.parametrize("engine", ["gguf", "folder"])
@pytest.mark.parametrize(("name", "pieces"), CASES)
def test_nothing_of_the_thoughts_is_stored_in_an_answer(
    scripted: ModuleType, engine: str, name: str, pieces: str, tmp_path: Path
) -> None:
    script = script_of(scripted, name, pieces)
    generator = opened(scripted, engine, tmp_path, script)
    try:
        assert name in generator.thinking.families
        written = scripted.make_tokenizer(script)
        for whole in drawn(generator, 200):
            assert (whole.answer, whole.state, whole.finish_reason) == ("Aral", GenerationState.VALID, "stop")
            mask, ids = whole.statistics.answer_mask, whole.statistics.token_ids
            assert mask is not None
            assert ids is not None
            assert written.decode(ids[mask].tolist()) == "Aral"
        before = script.text[: script.text.index("sea")]
        limit = len(written(before, add_special_tokens=False)["input_ids"])
        for cut in drawn(generator, limit):
            assert (cut.answer, cut.state) == ("", GenerationState.THINKING_UNCLOSED)
            assert cut.statistics.answer_mask is not None
            assert not np.any(cut.statistics.answer_mask)
    finally:
        generator.close()


@pytest.mark.parametrize("engine", ["gguf", "folder"])
def test_a_vocabulary_of_harmony_is_read_so_whatever_the_template_says(
    scripted: ModuleType, engine: str, tmp_path: Path
) -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}\n>"
    # The end of its thoughts is followed by the answer, without a header.
    text = f"<|channel|>analysis<|message|>{HM}<|end|>Aral<|return|>never"
    control = ["<|channel|>", "<|message|>", "<|end|>", "<|return|>"]
    generator = opened(scripted, engine, tmp_path, scripted.Script(text, control, template, "q>"))
    try:
        assert generator.thinking.line == "thinking is read as `harmony`: the vocabulary holds `<|channel|>`"
        for found in drawn(generator, 200):
            assert (found.answer, found.finish_reason) == ("Aral", "stop")
            assert found.text == text.removesuffix("<|return|>never")
    finally:
        generator.close()


@pytest.mark.parametrize("engine", ["gguf", "folder"])
def test_elsewhere_the_same_token_ends_the_answer(scripted: ModuleType, engine: str, tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}\n>"
    generator = opened(scripted, engine, tmp_path, scripted.Script("Aral<|end|>never", ["<|end|>"], template, "q>"))
    try:
        assert generator.thinking.line == ""
        assert {found.text for found in drawn(generator, 200)} == {"Aral"}
    finally:
        generator.close()
