import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import entropy

from homogaudit.errors import ContextTooShortError, ModelError
from homogaudit.generation import transformers_loading
from homogaudit.generation.generator import DrawRequest, FollowUpReply
from homogaudit.generation.transformers_model import TransformersGenerator
from homogaudit.generation.transformers_sequences import BatchedSequences, SerialSequences
from homogaudit.pipeline.calls import ask_p_true, ask_verbalized, follow_up_call, follow_ups
from homogaudit.questions.prompts import Prompt
from homogaudit.records import GREEDY, Decoding, Generation, Prompting, Question, SampleSet

QUESTIONS = {
    "a": "who?",
    "b": "what is the thing in the hand of the man?",
    "c": "when and why?",
    "d": "in what?",
}
DECODING = Decoding(samples=3, max_tokens=12, greedy_max_tokens=12)
ALL = (GREEDY, 0, 1, 2)

Answers = dict[tuple[str, int], Generation]
Save = Callable[..., Path]


@contextlib.contextmanager
def opened(folder: Path, prompting: Prompting | None = None, **options: Any) -> Iterator[TransformersGenerator]:
    options.setdefault("threads", 1)
    generator = TransformersGenerator(
        folder, prompting or Prompting(system=""), now=datetime(2026, 3, 1, tzinfo=UTC), gpu_layers=0, **options
    )
    try:
        yield generator
    finally:
        generator.close()


@pytest.fixture(scope="module")
def tiny(tiny_llama: Path) -> Iterator[TransformersGenerator]:
    with opened(tiny_llama, slots=6) as generator:
        yield generator


def draw(
    generator: TransformersGenerator, decoding: Decoding = DECODING, names: Sequence[str] = tuple(QUESTIONS)
) -> Answers:
    requests = [DrawRequest(name, generator.prompt(QUESTIONS[name]), ALL[: decoding.samples + 1]) for name in names]
    drawing = generator.draw(requests, decoding)
    found: Answers = {}
    while not drawing.is_done:
        for generation in drawing.step():
            key = (generation.question_id, generation.sample_index)
            assert key not in found
            found[key] = generation
    assert found.keys() == {(name, index) for name in names for index in ALL[: decoding.samples + 1]}
    return found


class TeacherForced:
    """Logits of given tokens from one plain pass over all of them, without cache, mask or padding."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM

        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def logits(self, prompt: Sequence[int], answer: Sequence[int]) -> NDArray[np.float64]:
        with torch.no_grad():
            logits = self.model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0]
        return logits[len(prompt) - 1 : len(prompt) + len(answer) - 1].double().numpy()


def assert_teacher_agrees(folder: Path, generator: TransformersGenerator, found: Answers, tolerance: float) -> None:
    teacher = TeacherForced(folder)
    prompts = {name: generator._tokens.prompt_tokens(generator.prompt(QUESTIONS[name])) for name, _ in found}
    for (name, index), generation in found.items():
        statistics = generation.statistics
        assert statistics.token_ids is not None
        tokens = statistics.token_ids.tolist()
        logits = teacher.logits(prompts[name], tokens)
        logprobs = log_softmax(logits, axis=1)
        at = (np.arange(len(tokens)), tokens)
        np.testing.assert_allclose(statistics.logprobs, logprobs[at], atol=tolerance, rtol=0)
        np.testing.assert_allclose(statistics.logits, logits[at], atol=tolerance, rtol=0)
        np.testing.assert_allclose(statistics.entropies, entropy(np.exp(logprobs), axis=1), atol=tolerance, rtol=0)
        if index == GREEDY:
            assert logprobs.argmax(axis=1).tolist() == tokens


# Numbers


def test_token_statistics_agree_with_a_teacher_forced_pass(tiny: TransformersGenerator, tiny_llama: Path) -> None:
    found = draw(tiny)
    assert tiny.facts.warnings == ()
    assert tiny.facts.slots == 6
    assert_teacher_agrees(tiny_llama, tiny, found, 2e-4)


def test_the_same_seeds_give_the_same_answers_on_any_number_of_slots(tiny_llama: Path) -> None:
    answers: list[Answers] = []
    for slots in (1, 5, 16):
        with opened(tiny_llama, slots=slots) as generator:
            answers.append(draw(generator))
    for key, generation in answers[0].items():
        for others in answers[1:]:
            assert others[key].text == generation.text
            np.testing.assert_allclose(others[key].statistics.logprobs, generation.statistics.logprobs, atol=1e-4)
    texts = {generation.text for (name, index), generation in answers[0].items() if name == "a" and index != GREEDY}
    assert len(texts) > 1


def test_several_questions_at_once_are_as_each_alone(tiny: TransformersGenerator) -> None:
    together = draw(tiny)
    for name in QUESTIONS:
        for key, generation in draw(tiny, names=[name]).items():
            assert together[key].text == generation.text
            np.testing.assert_allclose(together[key].statistics.entropies, generation.statistics.entropies, atol=1e-4)


def test_the_greedy_answer_is_that_of_generate(tiny: TransformersGenerator, tiny_llama: Path) -> None:
    model = TeacherForced(tiny_llama).model
    for (name, index), generation in draw(tiny).items():
        if index == GREEDY:
            prompt = tiny._tokens.prompt_tokens(tiny.prompt(QUESTIONS[name]))
            written = model.generate(
                torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                do_sample=False,
                max_new_tokens=12,
                eos_token_id=[0, 2],
                pad_token_id=0,
            )[0, len(prompt) :].tolist()
            written = [token for token in written if token not in (0, 2)]
            assert generation.statistics.token_ids is not None
            assert generation.statistics.token_ids.tolist() == written


def test_equal_beginnings_share_a_pass(tiny: TransformersGenerator) -> None:
    requests = [DrawRequest("a", tiny.prompt("who?"), ALL)]
    drawing = tiny.draw(requests, Decoding(samples=3, temperature=0.0, max_tokens=6, greedy_max_tokens=6))
    answers: list[Generation] = []
    while not drawing.is_done:
        answers += drawing.step()
    assert len({answer.text for answer in answers}) == 1
    assert drawing.counts.passes == drawing.counts.steps


def test_the_prompt_of_a_question_is_computed_once_and_the_shared_head_once(tiny: TransformersGenerator) -> None:
    requests = [DrawRequest(name, tiny.prompt(text), ALL) for name, text in QUESTIONS.items()]
    prompts = [tiny._tokens.prompt_tokens(request.prompt) for request in requests]
    drawing = tiny.draw(requests, DECODING)
    while not drawing.is_done:
        drawing.step()
    shared = next(n for n in range(99) if len({tuple(prompt[: n + 1]) for prompt in prompts}) > 1)
    assert drawing.counts.prompt_tokens == shared + sum(len(prompt) - shared for prompt in prompts)


# Architectures


def config_of(name: str) -> Any:
    import transformers

    common = {
        "vocab_size": 272,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.25,
        "bos_token_id": 1,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }
    match name:
        case "mistral":
            return transformers.MistralConfig(**common, num_hidden_layers=2, sliding_window=6)
        case "gemma3":
            return transformers.Gemma3TextConfig(
                **common,
                num_hidden_layers=3,
                head_dim=8,
                sliding_window=6,
                layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            )
        case "gpt2":
            return transformers.GPT2Config(
                vocab_size=272, n_embd=32, n_layer=2, n_head=4, n_positions=256, initializer_range=0.25
            )
        case "bloom":
            return transformers.BloomConfig(vocab_size=272, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.25)
        case "mamba":
            return transformers.MambaConfig(
                vocab_size=272, hidden_size=32, num_hidden_layers=2, initializer_range=0.25, eos_token_id=0
            )
        case "lfm2":
            return transformers.Lfm2Config(**common, num_hidden_layers=2, layer_types=["conv", "full_attention"])
        case "recurrent_gemma":
            return transformers.RecurrentGemmaConfig(
                **common | {"num_key_value_heads": 1},
                num_hidden_layers=3,
                lru_width=32,
                attention_window_size=16,
            )
    raise AssertionError(name)


@pytest.mark.parametrize("name", ["mistral", "gemma3", "gpt2", "bloom"])
def test_sliding_windows_learned_positions_and_biases_survive_padding(save_tiny: Save, name: str) -> None:
    folder = save_tiny(config_of(name))
    with opened(folder, slots=7) as generator:
        found = draw(generator)
        assert generator.facts.warnings == ()
        assert_teacher_agrees(folder, generator, found, 5e-4)


@pytest.mark.parametrize("name", ["mamba", "lfm2", "recurrent_gemma"])
def test_a_cache_that_cannot_be_shared_draws_one_answer_at_a_time(save_tiny: Save, name: str) -> None:
    folder = save_tiny(config_of(name))
    with opened(folder, slots=7) as generator:
        found = draw(generator, Decoding(samples=1, max_tokens=6, greedy_max_tokens=6), ["a", "b"])
        assert generator.facts.slots == 1
        assert "one answer is drawn at a time" in generator.facts.warnings[0]
        assert_teacher_agrees(folder, generator, found, 5e-4)


# Prompts


def test_a_model_without_a_template_is_asked_as_a_base_model_and_stops_at_the_line(
    tiny_llama: Path, tmp_path: Path
) -> None:
    import shutil

    folder = Path(shutil.copytree(tiny_llama, tmp_path / "base"))
    (folder / "chat_template.jinja").unlink()
    with opened(folder, slots=4) as generator:
        assert generator.facts.mode == "base"
        assert generator.chat_template is None
        decoding = Decoding(samples=3, temperature=2.0, max_tokens=60, greedy_max_tokens=8)
        found = draw(generator, decoding)
    assert any(generation.finish_reason == "stop" for generation in found.values())
    assert not any("\n" in generation.text for generation in found.values())


def test_a_stop_string_ends_the_answer_before_it(tiny: TransformersGenerator) -> None:
    whole = draw(tiny, names=["a"])["a", 0]
    # Random weights write broken characters too, which no stop string can name.
    stop = next(character for character in whole.text[2:] if character.isascii())
    prompt = tiny.prompt(QUESTIONS["a"])
    stopping = Prompt(prompt.text, prompt.segments, prompt.mode, (stop,), False)
    drawing = tiny.draw([DrawRequest("a", stopping, (0,))], DECODING)
    answers: list[Generation] = []
    while not drawing.is_done:
        answers += drawing.step()
    assert answers[0].text == whole.text[: whole.text.index(stop)]
    assert answers[0].finish_reason == "stop"


def test_next_tokens_are_those_of_the_whole_distribution(tiny: TransformersGenerator, tiny_llama: Path) -> None:
    prompts = [tiny.prompt(text) for text in QUESTIONS.values()]
    found = list(tiny.next_tokens(prompts, ("a", "the")))
    teacher = TeacherForced(tiny_llama)
    for prompt, answer in zip(prompts, found, strict=True):
        tokens = tiny._tokens.prompt_tokens(prompt)
        assert answer.prompt_tokens == len(tokens)
        assert sorted(answer.texts) == [" the", "A", "a"]
        logprobs = log_softmax(teacher.logits(tokens, [0])[0])
        for text, logprob in zip(answer.texts, answer.logprobs, strict=True):
            ids = [n for n in range(272) if tiny._tokens.piece(n) == text.encode()]
            assert logprob == pytest.approx(logprobs[ids[0]], abs=1e-4)


def test_replies_behind_an_answer_are_those_of_a_fresh_context(tiny: TransformersGenerator) -> None:
    questions = [Question(name, text) for name, text in QUESTIONS.items()]
    asked = follow_ups(tiny, questions, ("p_true", "verbalized"), DECODING, in_conversation=True)
    drawing = tiny.draw([DrawRequest(x.id, tiny.prompt(x.asked), ALL) for x in questions], DECODING, asked)
    found: Answers = {}
    replies: dict[tuple[str, str], FollowUpReply] = {}
    while not drawing.is_done:
        found |= {(x.question_id, x.sample_index): x for x in drawing.step()}
        replies |= {(x.question_id, x.kind): x for x in drawing.take_replies()}
    plain = draw(tiny)
    assert {key: x.text for key, x in found.items()} == {key: x.text for key, x in plain.items()}
    answered = [SampleSet(x, found[x.id, GREEDY], ()) for x in questions if found[x.id, GREEDY].is_valid]
    assert answered and replies.keys() == {(x.question.id, y) for x in answered for y in ("p_true", "verbalized")}
    fresh = [*ask_p_true(tiny, answered, in_conversation=True)]
    fresh += ask_verbalized(tiny, answered, DECODING, in_conversation=True)
    for call in fresh:
        if call is not None:
            beside = follow_up_call(replies[call.question_id, call.kind])
            assert beside is not None
            assert (beside.text, beside.reason) == (call.text, call.reason)
            assert beside.value == (None if call.value is None else pytest.approx(call.value, abs=1e-4))


def test_a_question_too_long_for_the_model_is_named(tiny: TransformersGenerator) -> None:
    with pytest.raises(ContextTooShortError, match="`long`"):
        tiny.draw([DrawRequest("long", tiny.prompt("x" * 600), (0,))], DECODING)


def test_a_model_that_takes_no_cache_is_refused(tiny: TransformersGenerator) -> None:
    class Forgetful(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return input_ids

    for kind in (BatchedSequences, SerialSequences):
        with pytest.raises(ModelError, match="`Forgetful` takes no cache"):
            kind(Forgetful(), tiny._tokens)


def test_a_gpu_goes_before_the_cpu_and_computes_in_the_half_precision_of_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from transformers import LlamaConfig

    def has(cuda: bool, mps: bool, bfloat16: bool = True) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: bfloat16)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    def format_on(device: str, stored: torch.dtype | None) -> torch.dtype:
        return transformers_loading._number_format(LlamaConfig(dtype=stored), torch.device(device))

    chosen: list[str] = []
    for cuda, mps in ((True, True), (False, True), (False, False)):
        has(cuda, mps)
        chosen.append(transformers_loading.best_device())
    assert chosen == ["cuda", "mps", "cpu"]
    assert format_on("cpu", torch.bfloat16) == torch.float32
    assert format_on("cuda", torch.float16) == format_on("mps", torch.float16) == torch.float16
    assert format_on("cuda", torch.float32) == format_on("mps", None) == torch.bfloat16
    has(True, False, bfloat16=False)
    assert format_on("cuda", torch.bfloat16) == torch.float16


# Memory


def fail_when(model: Any, monkeypatch: pytest.MonkeyPatch, refuses: Callable[[int, int], bool]) -> list[int]:
    """Let the model's pass run out of memory, in the middle of its layers, where `refuses(rows, calls)` says so."""
    calls: list[int] = []
    last = model.model.layers[-1]
    plain = last.forward

    def forward(hidden_states: torch.Tensor, *args: Any, **options: Any) -> Any:
        calls.append(hidden_states.shape[0])
        if refuses(hidden_states.shape[0], len(calls)):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return plain(hidden_states, *args, **options)

    monkeypatch.setattr(last, "forward", forward)
    return calls


def test_running_out_of_memory_halves_the_slots_and_loses_nothing(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tiny_llama, slots=12) as generator:
        expected = draw(generator)
        requests = [DrawRequest(name, generator.prompt(text), ALL) for name, text in QUESTIONS.items()]
        drawing = generator.draw(requests, DECODING)
        assert generator.facts.warnings == ()
        calls = fail_when(generator._model, monkeypatch, lambda rows, _: rows > 5)
        found: Answers = {}
        while not drawing.is_done:
            for generation in drawing.step():
                key = (generation.question_id, generation.sample_index)
                assert key not in found
                found[key] = generation
        assert max(calls) > 5
        assert drawing.slots <= 6
        assert generator.facts.slots == drawing.slots
        assert generator.facts.warnings[-1].startswith(f"memory ran out: {drawing.slots} answers are drawn at a time")
    assert found.keys() == expected.keys()
    for key, generation in found.items():
        assert generation.text == expected[key].text
        np.testing.assert_allclose(generation.statistics.logprobs, expected[key].statistics.logprobs, atol=1e-4)


@pytest.mark.parametrize("call", [1, 2])
def test_no_memory_for_a_first_prompt_is_an_error(
    tiny: TransformersGenerator, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    # The head that prompts share, then the first prompt: there is nothing in memory to wait for.
    drawing = tiny.draw([DrawRequest(name, tiny.prompt(QUESTIONS[name]), ALL) for name in ("a", "b")], DECODING)
    fail_when(tiny._model, monkeypatch, lambda _, calls: calls == call)
    with pytest.raises(ModelError, match="no memory for a single answer"):
        drawing.step()


@pytest.mark.parametrize("call", range(3, 9))
def test_one_failure_anywhere_changes_no_answer(
    tiny: TransformersGenerator, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    expected = draw(tiny, names=["a", "b"])
    requests = [DrawRequest(name, tiny.prompt(QUESTIONS[name]), ALL) for name in ("a", "b")]
    drawing = tiny.draw(requests, DECODING)
    fail_when(tiny._model, monkeypatch, lambda _, calls: calls == call)
    found: Answers = {}
    while not drawing.is_done:
        found |= {(x.question_id, x.sample_index): x for x in drawing.step()}
    assert {key: x.text for key, x in found.items()} == {key: x.text for key, x in expected.items()}


def test_no_memory_for_one_answer_is_an_error_and_no_loop(
    tiny: TransformersGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = tiny.draw([DrawRequest("a", tiny.prompt("who?"), ALL)], DECODING)
    drawing.step()
    fail_when(tiny._model, monkeypatch, lambda *_: True)
    with pytest.raises(ModelError, match="no memory for a single answer"):
        while not drawing.is_done:
            drawing.step()


def test_memory_too_small_for_the_warm_up_means_fewer_slots_and_a_warning(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tiny_llama, slots=16) as generator:
        fail_when(generator._model, monkeypatch, lambda rows, _: rows > 4)
        draw(generator)
        assert generator.facts.warnings == ("memory holds 4 answers at a time, not 16",)


# Loading


def test_a_cpu_computes_in_float32_whatever_the_weights_are(save_tiny: Save, tiny_llama: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.bfloat16).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(tmp_path)
    with opened(tmp_path) as generator:
        assert generator.facts.device == "CPU (1 thread, float32)"
        assert generator.facts.details["number_format"] == "float32"


def test_weights_that_lack_a_tensor_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack 1 tensors, for example `model\.layers\.1\.mlp\.up_proj\.weight`"):
        TransformersGenerator(folder, Prompting(), now=datetime(2026, 3, 1, tzinfo=UTC), threads=1)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("model.safetensors", "", "cannot load"),
        ("config.json", "{", "cannot load"),
        ("config.json", '{"model_type": "no-such-architecture"}', "cannot load"),
        ("config.json", '{"model_type": "bert", "vocab_size": 272}', "cannot load|lack"),
        ("tokenizer.json", "{", "cannot load the tokenizer"),
    ],
)
def test_a_broken_folder_is_one_clear_error(
    tiny_llama: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    import shutil

    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    (folder / name).write_text(text)
    with pytest.raises(ModelError, match=message) as caught:
        TransformersGenerator(folder, Prompting(), now=datetime(2026, 3, 1, tzinfo=UTC), threads=1)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_code_in_the_folder_is_not_run(tiny_llama: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = Path(shutil.copytree(tiny_llama, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "homemade", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match="cannot load"):
        TransformersGenerator(folder, Prompting(), now=datetime(2026, 3, 1, tzinfo=UTC), threads=1)
    assert not (tmp_path / "ran").exists()


# The real model


def test_logprobs_are_those_of_the_same_weights_in_llama_cpp(smollm_folder: Path, smollm_f16: Path) -> None:
    import llama_cpp

    decoding = Decoding(samples=1, max_tokens=16, greedy_max_tokens=16)
    with opened(smollm_folder, Prompting(), slots=8) as generator:
        found = draw(generator, decoding)
        prompts = {name: generator._tokens.prompt_tokens(generator.prompt(text)) for name, text in QUESTIONS.items()}
    model = llama_cpp.Llama(str(smollm_f16), n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)
    differences: list[float] = []
    for (name, _), generation in found.items():
        assert generation.statistics.token_ids is not None
        assert generation.statistics.logprobs is not None
        prompt, answer = prompts[name], generation.statistics.token_ids.tolist()
        model.reset()
        model.eval([*prompt, *answer])
        logits = np.array(model.scores[len(prompt) - 1 : len(prompt) + len(answer) - 1], np.float64)
        logprobs = log_softmax(logits, axis=1)[np.arange(len(answer)), answer]
        differences += np.abs(logprobs - generation.statistics.logprobs).tolist()
    model.close()
    # Measured over 20 questions: median 0.001, 99th percentile 0.012.
    assert np.median(differences) < 0.02
    assert np.percentile(differences, 99) < 0.2
