"""The choice of how many answers are drawn at a time: what is measured, when, and what is kept of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from homogaudit.generation import DrawRequest, slot_choice
from homogaudit.generation.llama_cpp import LlamaCppGenerator
from homogaudit.generation.llama_model import LlamaModel
from homogaudit.generation.llama_sequences import LlamaSequences
from homogaudit.generation.slot_choice import KeptSlots, best_slots, measure_speeds
from homogaudit.records import GREEDY, Decoding, Prompting

DECODING = Decoding(samples=2, max_tokens=2, greedy_max_tokens=2)
ALL = (GREEDY, 0, 1)


@contextmanager
def opened(path: Path, kept: KeptSlots | None = None, slots: int | None = None) -> Iterator[LlamaCppGenerator]:
    generator = LlamaCppGenerator(
        path, Prompting(), now=datetime.now(UTC), gpu_layers=0, threads=1, slots=slots, kept_slots=kept
    )
    try:
        yield generator
    finally:
        generator.close()


def chosen(generator: LlamaCppGenerator, questions: int = 2, decoding: Decoding = DECODING) -> int:
    requests = [DrawRequest(str(n), generator.prompt(f"What is {n}?"), ALL) for n in range(questions)]
    generator.draw(requests, decoding)
    return generator.facts.slots


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Measure 2 or 4 slots of a unified cache, whatever is to be drawn; returns what was measured; 4 are the best."""
    asked: list[tuple[int, ...]] = []

    def measured(sequences: LlamaSequences, prompt: list[int], written: int, candidates: list[int]) -> dict[int, float]:
        asked.append(tuple(candidates))
        found = measure_speeds(sequences, prompt, written, candidates)
        assert all(speed > 0 for speed in found.values())
        return {slots: float(slots) for slots in found}

    monkeypatch.setattr(LlamaCppGenerator, "_can_stream", False)
    monkeypatch.setattr("homogaudit.generation.llama_cpp.CPU_SLOTS", (2, 4))
    monkeypatch.setattr("homogaudit.generation.llama_cpp.measure_speeds", measured)
    monkeypatch.setattr(slot_choice, "_MOST_SHARE", 100.0)
    return asked


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ({8: 100.0, 16: 140.0, 32: 150.0, 48: 149.0}, 32),
        # 147 is 98% of 150: not worth twice the slots.
        ({8: 100.0, 16: 147.0, 32: 150.0}, 16),
        ({8: 100.0, 16: 146.9, 32: 150.0}, 32),
        ({8: 1.0}, 8),
    ],
)
def test_the_fewest_slots_that_are_nearly_the_fastest_are_taken(speeds: dict[int, float], expected: int):
    assert best_slots(speeds) == expected


def test_measuring_costs_at_most_a_fiftieth_of_the_tokens_to_draw():
    kept, anew = KeptSlots(Path("model.gguf")), KeptSlots(Path("model.gguf"), anew=True)
    # 3 steps of 8, 16, 32 and 48 answers are 312 tokens, and 50 times as many 15,600.
    assert kept.is_worth_measuring((8, 16, 32, 48), 15_600)
    assert not kept.is_worth_measuring((8, 16, 32, 48), 15_599)
    assert anew.is_worth_measuring((8, 16), 1)
    assert not kept.is_worth_measuring((8,), 10**9)
    assert not anew.is_worth_measuring((8,), 10**9)


def test_slots_are_measured_once_for_a_model_and_a_length(
    demo_model: Path, tmp_path: Path, small: list[tuple[int, ...]]
):
    with opened(demo_model, KeptSlots(demo_model, tmp_path)) as generator:
        assert chosen(generator) == 4
        assert chosen(generator) == 4
        assert small == [(2, 4)]
        # Answers of another length are another question.
        chosen(generator, decoding=Decoding(samples=2, max_tokens=200, greedy_max_tokens=200))
        assert len(small) == 2
    with opened(demo_model, KeptSlots(demo_model, tmp_path)) as again:
        assert chosen(again) == 4
        # Fewer answers than slots: all are drawn at once.
        assert chosen(again, questions=1) == 3
    with opened(demo_model, KeptSlots(demo_model, tmp_path, anew=True)) as anew:
        # All numbers are measured, however few the answers: it is kept for runs that have more.
        assert chosen(anew, questions=1) == 3
        assert chosen(anew) == 4
    assert small[2:] == [(2, 4)]


def test_where_every_sequence_has_a_stream_nothing_is_measured_and_what_was_kept_does_not_count(
    demo_model: Path, tmp_path: Path, small: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(LlamaCppGenerator, "_can_stream", True)
    monkeypatch.setattr("homogaudit.generation.llama_cpp._STREAM_SLOTS", 4)
    monkeypatch.setattr(KeptSlots, "find", lambda self, key: 2)
    for anew in (False, True):
        with opened(demo_model, KeptSlots(demo_model, tmp_path, anew=anew)) as generator:
            # 3 answers at once, 9 in three rounds and 12 in three; 4 would leave one answer for a third one of 9.
            assert [chosen(generator, questions=x) for x in (1, 3, 4)] == [3, 3, 4]
    assert small == []
    assert not list(tmp_path.iterdir())


def test_the_users_slots_are_not_measured(demo_model: Path, tmp_path: Path, small: list[tuple[int, ...]]):
    with opened(demo_model, KeptSlots(demo_model, tmp_path), slots=3) as generator:
        assert chosen(generator) == 3
    assert small == []
    assert not list(tmp_path.iterdir())


def test_a_run_too_small_to_measure_takes_what_was_kept(
    demo_model: Path, tmp_path: Path, small: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
):
    with opened(demo_model, KeptSlots(demo_model, tmp_path)) as generator:
        chosen(generator)
    monkeypatch.setattr(slot_choice, "_MOST_SHARE", 0.02)
    with opened(demo_model, KeptSlots(demo_model, tmp_path)) as generator:
        assert chosen(generator) == 4
    (path,) = tmp_path.iterdir()
    path.write_text("{}")
    monkeypatch.setattr("homogaudit.generation.llama_cpp.CPU_SLOTS", (2, 8))
    with opened(demo_model, KeptSlots(demo_model, tmp_path)) as generator:
        # Nothing kept, and 12 tokens to draw: all at once, as many as are ever measured and fewer.
        assert chosen(generator) == 6
    assert len(small) == 1


@pytest.mark.parametrize(
    "spoilt", ["{", "[1]", '{"slots": [1]}', '{"slots": {"KEY": "many"}}', '{"slots": {"KEY": 0}}']
)
def test_a_file_that_is_spoilt_keeps_nothing_and_what_others_measured_stays(
    spoilt: str, demo_model: Path, tmp_path: Path
):
    kept = KeptSlots(demo_model, tmp_path)
    kept.keep("key", 16)
    path = tmp_path / "bench.json"
    ((whole, _),) = json.loads(path.read_text())["slots"].items()
    path.write_text(spoilt.replace("KEY", whole))
    assert KeptSlots(demo_model, tmp_path).find("key") is None
    path.write_text('{"paces": {"answers": {}}}')
    kept.keep("key", 32)
    assert KeptSlots(demo_model, tmp_path).find("key") == 32
    assert json.loads(path.read_text())["paces"] == {"answers": {}}


def test_measuring_leaves_the_cache_empty_and_every_answer_as_it_was(demo_model: Path):
    model = LlamaModel(demo_model, gpu_layers=0)
    sequences = LlamaSequences(model, sequences=6, cells=256, threads=1)
    prompt = list(range(100, 120))
    try:
        before = sequences.prefill(0, prompt, 0).copy()
        sequences.free(0)
        speeds = measure_speeds(sequences, prompt, 30, (2, 4))
        assert list(speeds) == [2, 4]
        np.testing.assert_array_equal(sequences.prefill(0, prompt, 0), before)
    finally:
        sequences.close()
        model.close()


def test_a_duplicate_goes_on_as_its_source_in_cells_of_its_own(demo_model: Path):
    model = LlamaModel(demo_model, gpu_layers=0)
    sequences = LlamaSequences(model, sequences=3, cells=256, threads=1)

    def after(sequence: int, token: int) -> np.ndarray:
        one = np.ones(1, np.int32)
        return sequences.step(sequence * one, token * one, 30 * one)[0].copy()

    try:
        sequences.prefill(0, list(range(100, 130)), 0)
        sequences.duplicate(0, [1, 2])
        expected = after(0, 200)
        sequences.free(0)
        # Cells that the source no longer holds; last bits of 4-bit weights differ with where they lie.
        assert np.corrcoef(after(2, 200), expected)[0, 1] > 0.99
        assert np.corrcoef(after(1, 900), expected)[0, 1] < 0.97
    finally:
        sequences.close()
        model.close()
