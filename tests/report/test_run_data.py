"""What of a run enters the figures: read at once, or samples when they are asked for."""

from collections.abc import Callable
from typing import Any

import pytest

from homogaudit.records import Generation, GenerationState
from homogaudit.report.build import build
from homogaudit.report.json import to_json
from homogaudit.report.run_data import RunData, read_run
from homogaudit.store import RunFile

from .conftest import JACCARD

QUESTIONS = 120
"""More than are read by one query, twice."""


@pytest.fixture
def run(build_run: Callable[..., Any]) -> RunFile:
    """A run with everything that its texts can show: equal ones, refusals, none, failures and questions without any."""
    builder = build_run(QUESTIONS, temperature=0.9)
    shapes: dict[int, tuple[int, ...]] = {}
    for position in range(QUESTIONS - 2):
        texts = [f"answer {position} {number}" for number in range(3)]
        if position % 3 == 0:
            texts = ["the same " * 15] * 3
        elif position % 5 == 0:
            texts[1] = "I'm sorry, but I can't help with that."
        elif position % 7 == 0:
            texts[2] = ""
        kind = GenerationState.ERROR if position % 2 else GenerationState.EMPTY
        builder.draw(position, texts, None if position % 11 == 0 else texts[0], state=kind)
        valid = [text for text in texts if text]
        shapes[position] = tuple(valid.index(text) for text in valid)
    builder.draw(QUESTIONS - 2, ["one"])
    builder.cluster(shapes)
    builder.label({position: "incorrect" if position % 4 else "correct" for position in shapes})
    builder.signal("token_entropy_mean", {position: float(position % 13) for position in shapes})
    return builder.score(JACCARD)


def test_a_report_of_samples_that_are_read_late_is_that_of_samples_that_are_held(run: RunFile) -> None:
    late, held = (build(read_run(run, late=late), draws=100, full=True) for late in (True, False))
    assert to_json(late) == to_json(held)
    assert held.validity.samples_valid < held.validity.samples


def test_samples_that_are_read_late_are_those_of_the_file_in_any_order(run: RunFile) -> None:
    def told(data: RunData, places: range) -> list[Any]:
        sets = [data.sets[place] for place in places]
        return [
            (x.question, x.valid_count, len(x.samples), [(s.question_id, s.sample_index, s.text) for s in x.samples])
            for x in sets
        ]

    late, held = read_run(run, late=True), read_run(run)
    for places in (range(QUESTIONS), range(QUESTIONS - 1, -1, -1), range(0, QUESTIONS, 50)):
        assert told(late, places) == told(held, places)
    assert [x.text for x in late.sets[1].samples[1:]] == ["answer 1 1", "answer 1 2"]
    assert late.sets[1].samples[-1].text == "answer 1 2"
    assert not late.sets[-1].samples[:]


def test_samples_that_are_drawn_after_a_run_was_read_are_left_out(run: RunFile) -> None:
    late = read_run(run, late=True)
    id_ = late.sets[-2].question.id
    run.add_generation(Generation(id_, 1, "two", "two", GenerationState.VALID))
    assert [x.text for x in late.sets[-2].samples] == ["one"]
    assert [x.text for x in read_run(run).sets[-2].samples] == ["one", "two"]
