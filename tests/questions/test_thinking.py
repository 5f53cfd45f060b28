"""The answer in what a model wrote, family by family. Every text is written for these tests."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homogaudit.questions.thinking import leaves_thinking, locate_answer, split_thinking
from homogaudit.questions.thinking_families import choose_families, end_tokens, families
from homogaudit.records import GenerationState, Prompting

HM = "Which sea is it? The Aral."

WHOLE = {
    "harmony": f"<|channel|>analysis<|message|>{HM}<|end|><|start|>assistant<|channel|>final<|message|>Aral<|return|>",
    "muse": f" to=self<|message|>{HM}<|eom|><|start|>assistant to=user<|message|>Aral<|eot|>",
    "solar": f"<|think|>{HM}<|end|><|begin|>assistant<|content|>Aral<|end|>",
    "kimi_k3": (
        f"<|open|>think<|sep|>{HM}<|close|>think<|sep|><|open|>response<|sep|>Aral<|close|>response<|sep|>"
        "<|close|>message<|sep|>"
    ),
    "inkling": (
        f"<|message_model|><|content_thinking|>{HM}<|end_message|><|message_model|><|content_text|>Aral<|end_message|>"
    ),
    "hyperclova": f"<|im_start|>assistant/think\n{HM}<|im_end|>\n<|im_start|>assistant\nAral<|im_end|><|endofturn|>",
    "cohere": f"<|START_THINKING|>{HM}<|END_THINKING|><|START_TEXT|>Aral<|END_TEXT|>",
    "gemma4": f"<|channel>thought\n{HM}\n<channel|>Aral",
    "granite": f"<think>{HM}</think>\n<response>Aral</response>",
    "granite_prose": f"Here is my thought process:\n{HM}\nHere is my response:\nAral",
    "apriel": f"Here are my reasoning steps:\n{HM}\n[BEGIN FINAL RESPONSE]\nAral\n[END FINAL RESPONSE]",
    "mistral": f"[THINK]{HM}[/THINK]Aral",
    "seed": f"<seed:think>\n{HM}\n</seed:think>Aral",
    "minimax": f"<mm:think>{HM}</mm:think>\n\nAral",
    "kimi": f"◁think▷{HM}◁/think▷Aral",
    "hunyuan": f"<think:opensource>{HM}</think:opensource>\n<answer>\nAral\n</answer>",
    "longcat": f"<longcat_think>{HM}</longcat_think>Aral",
    "k2": f"<ifm|think_fast>{HM}</ifm|think_fast>Aral",
    "apertus": f"<|inner_prefix|>{HM}<|inner_suffix|>Aral",
    "plamo": f"<|plamo:begin_think:plamo|>{HM}<|plamo:end_think:plamo|>Aral",
    "pangu": f"[unused16]{HM}[unused17]Aral",
    "open_thoughts": (f"<|begin_of_thought|>{HM}<|end_of_thought|>\n<|begin_of_solution|>Aral<|end_of_solution|>"),
    "working_out": f"<start_working_out>{HM}<end_working_out><SOLUTION>Aral</SOLUTION>",
    "minicpm": f"<|thought_start|>{HM}<|thought_end|>Aral",
    "s1": f"<|im_start|>think\n{HM}<|im_start|>answer\nAral",
    "thinking": f"<thinking>{HM}</thinking>\n<output>Aral</output>",
    "thought": f"<thought>\n{HM}\n</thought>\nAral",
    "reasoning": f"<reasoning>{HM}</reasoning><answer>Aral</answer>",
    "think": f"<think>\n{HM}\n</think>\n\nAral",
}
"""One whole answer of each family."""


def split(text: str, inside: bool = False, names: tuple[str, ...] = ()):
    return split_thinking(text, Prompting(), inside, names)


def test_every_family_of_the_table_is_tried_here():
    assert set(WHOLE) == set(families())


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_of_the_thoughts_is_in_the_answer(name: str):
    for names in ((), (name,)):
        parsed = split(WHOLE[name], names=names)
        assert (parsed.answer, parsed.state) == ("Aral", GenerationState.VALID)
        assert WHOLE[name][parsed.start : parsed.stop].strip() == "Aral"
        assert not parsed.closes_unopened


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_that_is_cut_in_its_thinking_is_none(name: str):
    cut = WHOLE[name][: WHOLE[name].index("sea")]
    parsed = split(cut, names=(name,))
    assert (parsed.answer, parsed.state) == ("", GenerationState.THINKING_UNCLOSED)
    # Plain words are markers only where the family is known.
    alone = split(cut).state
    assert alone is (GenerationState.VALID if families()[name].prose and name != "harmony" else parsed.state)


@pytest.mark.parametrize("name", WHOLE)
def test_thinking_that_began_in_the_prompt_is_left_out(name: str):
    rest = WHOLE[name][WHOLE[name].index(HM) :]
    assert split(rest, True, (name,)).answer == "Aral"
    assert split(HM[:9], True, (name,)).state is GenerationState.THINKING_UNCLOSED
    # Of these the rest holds plain words alone, or the ends of turns that all chats have.
    if name not in ("granite_prose", "hyperclova"):
        # Without a prompt to tell, what closes is known and what opened it is not.
        stray = split(rest)
        assert (stray.answer, stray.closes_unopened) == ("Aral", True)


@pytest.mark.parametrize("name", WHOLE)
def test_the_answer_that_is_cut_keeps_what_it_says(name: str):
    at = WHOLE[name].rindex("Aral")
    assert split(WHOLE[name][: at + 2], names=(name,)).answer == "Ar"


def test_the_last_message_of_a_harmony_answer_is_found_in_every_form():
    thoughts = "<|channel|>analysis<|message|>hm<|end|>"
    for rest in (
        "Aral",
        "<|start|>assistant<|message|>Aral<|return|>",
        "<|start|>assistant<|channel|>final <|constrain|>text<|message|>Aral<|end|>",
        "<|start|>assistant<|channel|>commentary<|message|>I say:<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Aral",
        "<|start|>assistant<|channel|>commentary<|message|>Aral<|end|>",
        "<|start|>assistant<|channel|>final<|message|>Aral<|end|><|start|>assistant<|channel|>ana",
    ):
        assert split(thoughts + rest).answer == "Aral"
    for rest in ("", "<|start|>assistant<|channel|>fin", "<|start|>assistant to=f.x<|channel|>commentary<|message|>{}"):
        assert split(thoughts + rest).state is GenerationState.EMPTY
    for text in ("<|channel|>ana", "<|channel|>", "<|channel|>analysis<|message|>hm"):
        assert split(text).state is GenerationState.THINKING_UNCLOSED
    assert split("analysisA sea.assistantfinalAral").answer == "Aral"
    assert split("hm<|end|>Aral", True, ("harmony",)).answer == "Aral"
    assert split("Aral<|return|>", names=("harmony",)).answer == "Aral"


@pytest.mark.parametrize(
    "text",
    [
        "Put <think> before your steps.",
        "Use `<think>` and `</think>` for it.",
        "Write `<think>steps</think>` first.",
        'The tag is "</think>" here.',
        "The <think> and </think> tags hold the steps.",
        "<think> and </think> hold the steps.",
        "It is (<thought>) in one file.",
        "For example:\n```xml\n<think>\nsteps\n</think>\n```\nThat is all.",
        "Its header is `<|channel|>analysis<|message|>`.",
        "Here is my thought process: first the sea, then the river.",
        "<answer>one</answer> or <answer>two</answer>",
        "<html><body>Aral</body></html>",
        "analysis of the sea",
    ],
)
def test_a_marker_that_is_only_spoken_of_is_text_like_any_other(text: str):
    parsed = split(text)
    assert (parsed.answer, parsed.state, parsed.family) == (text, GenerationState.VALID, "")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>It ends with `</think>` I know.</think>Aral", "Aral"),
        ("I say `Aral`</think>`Aral`", "`Aral`"),
        ("Sure, <think>hm</think> Aral", "Aral"),
        ("<THINK>hm</Think>Aral", "Aral"),
        ("<think>a</think>b</think>Aral", "Aral"),
        ("<thinking>a <think>b</think> c</thinking>Aral", "Aral"),
        ("</think>Aral", "Aral"),
        ("<think></think>\n\nAral", "Aral"),
        ("<think>a</think><answer>Aral", "Aral"),
        ("<answer>Aral</answer>", "Aral"),
        ("<think>a</think>Aral</answer>", "Aral"),
    ],
)
def test_markers_and_wrappers_are_found_where_they_do_their_work(text: str, answer: str):
    assert split(text).answer == answer


def test_a_marker_that_the_limit_cut_off_is_no_answer():
    for text in ("<thin", " [THIN", "<seed:th", "◁thin"):
        assert split(text).state is GenerationState.THINKING_UNCLOSED
    assert split("<th").answer == "<th"


def test_what_closes_without_thoughts_before_it_is_no_thinking_that_was_never_opened():
    assert not split("</think>Aral").closes_unopened
    assert not split("<think>a</think>b</think>Aral").closes_unopened
    assert not split("a</think>Aral", inside=True).closes_unopened


def test_an_answer_is_found_again_in_a_text_without_its_thinking():
    text = "<think>Aral?</think><response>response</response>"
    parsed = split(text)
    for other in (text, "<response>response</response>", "response", " response"):
        found = locate_answer(parsed, text, other)
        assert other[found.start : found.stop].strip() == "response"
        assert "<response>" not in other[found.start :]
    assert locate_answer(parsed, text, "other").stop == 5
    none = split("<think>hm")
    assert locate_answer(none, "<think>hm", "hm").start == 2


@pytest.mark.parametrize(
    "unit",
    [
        "a </think> ", "<think> ", "<think>a</think>\n", "x <think> y ", "`<think>` ", "```\n<think>\n```\n", "<b>",
        "<think> and </think> ", "<|channel|>analysis<|message|>a<|end|>", "<|channel|>a ", "<|think|>a   ",
        "to=self<|message|> ", "<|start|>assistant to=", "<thinking><think></thinking>", "<|channel>thought ",
    ],
)  # fmt: skip
def test_the_time_for_a_text_grows_no_faster_than_the_text(unit: str):
    # Of quadratic time, 16 times the length would take 256 times as long.
    def seconds(text: str) -> float:
        begun = time.perf_counter()
        split(text)
        return time.perf_counter() - begun

    for filled in (unit * 400, unit + " " * 6_000):
        least = min(seconds(filled) for _ in range(3))
        most = min(seconds(filled.replace(unit, unit * 16).replace(" " * 6_000, " " * 96_000)) for _ in range(2))
        assert most < 100 * least + 0.05


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('<think type="long">hm</think>Aral', "Aral"),
        ("<think >hm</think >Aral", "Aral"),
        ("<Think\tid='1'>hm</think\r\n>Aral", "Aral"),
        ("<thinker>hm</thinker>Aral", "<thinker>hm</thinker>Aral"),
    ],
)
def test_a_tag_may_have_attributes(text: str, answer: str):
    parsed = split(text)
    assert (parsed.answer, parsed.closes_unopened) == (answer, False)
    assert split('<think type="long">hm').state is GenerationState.THINKING_UNCLOSED


@pytest.mark.parametrize("token", end_tokens())
def test_an_end_of_turn_that_was_left_in_a_text_is_no_part_of_the_answer(token: str):
    for text in (
        f"Aral{token}",
        f"Aral {token}\n",
        f"Aral{token}{token}\n<|endoftext|>",
        f"<think>hm</think><answer>Aral</answer>{token}",
    ):
        parsed = split(text)
        assert (parsed.answer, parsed.state) == ("Aral", GenerationState.VALID)
        assert text[parsed.start : parsed.stop].strip() == "Aral"
        assert parsed.end_token == token
    assert (
        split_thinking(f"[T]hm[/T]Aral{token}", Prompting(think_open="[T]", think_close="[/T]"), False).answer == "Aral"
    )
    assert split(token).state is GenerationState.EMPTY


@pytest.mark.parametrize(
    "text", ["<s>Aral</s>", "It ends with `<|im_end|>`.", "a <b>", "<p>Aral</p>", "x[1]", "</s> is one"]
)
def test_what_is_no_end_of_turn_stays(text: str):
    parsed = split(text)
    assert (parsed.answer, parsed.end_token) == (text, "")


@pytest.mark.parametrize(
    "text",
    [
        "<response><code>200</code></response>",
        "<answer>\n  <lake>Aral</lake>\n</answer>",
        "<response>Aral",
        '<?xml version="1.0"?>\n<response>Aral</response>',
    ],
)
def test_an_answer_that_is_markup_is_left_whole_where_nobody_thought(text: str):
    assert split(text).answer == text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>a</think><answer><b>Aral</b></answer>", "<b>Aral</b>"),
        ("<think>a</think><answer>Aral</ans", "Aral"),
        ("<think>a</think><answer>Aral</", "Aral"),
        ("<think>a</think><answer>x < y", "x < y"),
        ("<think>a</think>\n<ans", ""),
        ("**Here is my thought process:**\n\nhm\n\n**Here is my response:**\n\nAral", "Aral"),
        ("<Thought>hm</Thought>\n<Output>Aral</Output>", "Aral"),
        ("<reason>hm</reason><answer>Aral</answer>", "Aral"),
    ],
)
def test_what_the_limit_left_of_a_wrapper_is_no_part_of_the_answer(text: str, answer: str):
    assert split(text).answer == answer


# Which family


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{ m.content.split('</think>')[-1] }}", "think"),
        ("Write your thoughts between <think></think> and your answer between <response></response>.", "granite"),
        ("Write 'Here is my thought process:' first.", "granite_prose"),
        ("{% set t = '<think{}>'.format(k) %}", "hunyuan"),
        ("[THINK]{{ m.thinking }}[/THINK]", "mistral"),
        ("Write <Thought> and </Thought> first.", "thought"),
        ("<|im_start|>assistant{% if skip_reasoning %}\n{% endif %}", "hyperclova"),
        ("system\ndetailed thinking on", "think"),
        ("<|start|>assistant<|channel|>final<|message|>", "harmony"),
        ("<|channel>thought\n<channel|>", "gemma4"),
    ],
)
def test_the_template_tells_the_family(template: str, name: str):
    choice = choose_families(Prompting(), template)
    assert choice.families[0] == name
    assert choice.line.startswith(f"thinking is read as `{name}`")
    assert "the chat template holds" in choice.line


def test_the_vocabulary_tells_the_family_where_the_template_does_not():
    choice = choose_families(Prompting(), "{{ question }}", lambda text: text == "<|return|>")
    assert choice.families == ("harmony",)
    assert choice.reason == "the vocabulary holds `<|return|>`"
    assert "<|end|>" in choice.ends_message
    assert "<|message|>" in choice.shown
    plain = choose_families(Prompting(), "{{ question }}", lambda text: False)
    assert (plain.families, plain.line, plain.ends_message) == ((), "", ())
    assert "<|message|>" not in plain.shown
    assert "[THINK]" in plain.shown


def test_markers_that_the_user_names_stand_before_the_family():
    prompting = Prompting(think_open="<cot>", think_close="</cot>")
    choice = choose_families(prompting, "<think></think>", lambda text: text == "<|channel|>")
    assert (choice.families, choice.line, choice.shown) == ((), "", ("<cot>", "</cot>"))
    assert choice.ends_message == ("<|end|>",)


def test_thinking_in_unknown_markers_is_warned_about():
    for template in (
        "{% if enable_thinking %}<cot>{% endif %}",
        "{{ '<ponder>' + m.reasoning_content + '</ponder>' }}",
        "{% if m['thinking'] %}{% endif %}",
        "<|deep_think|>",
    ):
        line = choose_families(Prompting(), template).line
        assert "--think-markers OPEN CLOSE" in line
    for template in ("{{ m.content }}", "{# enable_thinking is for others #}{{ m.content }}", "Think twice."):
        assert choose_families(Prompting(), template).line == ""


@pytest.mark.parametrize(
    ("prompt", "name", "expected"),
    [
        ("<think>\n", "think", True),
        ("<think>\n\n</think>\n\n", "think", False),
        ("</think>", "think", False),
        ("<|START_THINKING|>", "cohere", True),
        ("<|START_THINKING|><|END_THINKING|>", "cohere", False),
        ("<|channel>thought\n<channel|>", "gemma4", False),
        ("<|start|>assistant<|channel|>analysis<|message|>", "harmony", True),
        ("<|start|>assistant<|channel|>final<|message|>", "harmony", False),
        ("<|end|><|start|>assistant", "harmony", False),
        ('<|open|>message role="assistant"<|sep|><|open|>think<|sep|>', "kimi_k3", True),
        ('<|open|>message role="assistant"<|sep|><|open|>response<|sep|>', "kimi_k3", False),
        ("<|begin_assistant|>\nHere are my reasoning steps:\n", "apriel", True),
    ],
)
def test_a_prompt_that_leaves_thinking_open_is_noticed(prompt: str, name: str, expected: bool):
    assert leaves_thinking(prompt, Prompting(), (name,)) is expected


# The rules of one pair


@pytest.mark.parametrize(
    ("text", "inside", "answer", "state", "start"),
    [
        (" Yes. ", False, "Yes.", GenerationState.VALID, 0),
        ("<think>hm</think>\n\nYes.", False, "Yes.", GenerationState.VALID, 17),
        ("hm</think>Yes.", True, "Yes.", GenerationState.VALID, 10),
        ("hm</think>Yes.", False, "Yes.", GenerationState.VALID, 10),
        ("<think>a</think>b<think>c</think> d", False, "d", GenerationState.VALID, 33),
        ("<think>hm", False, "", GenerationState.THINKING_UNCLOSED, 9),
        ("Yes. <think>hm", False, "", GenerationState.THINKING_UNCLOSED, 14),
        ("<think>a</think>b<think>c", False, "", GenerationState.THINKING_UNCLOSED, 25),
        ("hm", True, "", GenerationState.THINKING_UNCLOSED, 2),
        ("", True, "", GenerationState.THINKING_UNCLOSED, 0),
        ("", False, "", GenerationState.EMPTY, 0),
        (" \n\t", False, "", GenerationState.EMPTY, 0),
        ("<think>hm</think> \n", False, "", GenerationState.EMPTY, 17),
    ],
)
def test_the_answer_is_what_follows_the_thinking(
    text: str, inside: bool, answer: str, state: GenerationState, start: int
):
    parsed = split_thinking(text, Prompting(), inside)
    assert (parsed.answer, parsed.state, parsed.start) == (answer, state, start)


def test_markers_are_configurable():
    prompting = Prompting(think_open="[T]", think_close="[/T]")
    assert split_thinking("[T]a[/T]b", prompting, False).answer == "b"
    assert split_thinking("<think>b", prompting, False).answer == "<think>b"


def test_without_markers_all_text_is_the_answer():
    prompting = Prompting(think_open="", think_close="")
    assert split_thinking("<think>b", prompting, False).answer == "<think>b"


@given(st.lists(st.sampled_from(["<think>", "</think>", " ", "a", "\n"]), max_size=8).map("".join), st.booleans())
def test_the_answer_is_the_stripped_rest_of_the_text(text: str, inside: bool):
    parsed = split_thinking(text, Prompting(), inside)
    assert text[parsed.start :].strip() == parsed.answer
    assert (parsed.state is GenerationState.VALID) == bool(parsed.answer)


def test_most_recorded_minimax_samples_hold_no_answer(reference: Path):
    lines = (reference / "minimax-m2.7.samples.jsonl").read_text(encoding="utf-8").split("\n")
    records = [json.loads(line) for line in lines if line]
    samples = [sample["text"] for record in records for sample in record.get("samples", [])]
    states = [split_thinking(text, Prompting(), False).state for text in samples]
    # The counts are those that the data's own README states.
    assert states.count(GenerationState.VALID) == 26
    assert states.count(GenerationState.EMPTY) == 474
