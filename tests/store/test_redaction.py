"""Draws without their texts: words are gone, clusters and numbers stay."""

import numpy as np

from homogaudit.records import Generation, GenerationState, Question, SampleSet, TokenStatistics
from homogaudit.store.redaction import without_texts


def draw(index: int, text: str) -> Generation:
    statistics = TokenStatistics(token_ids=np.array([1, 2], np.int32), entropies=np.array([0.5, 1.5], np.float32))
    state = GenerationState.VALID if text else GenerationState.EMPTY
    return Generation("q", index, f"<think>secret</think>{text}", text, state, "stop", 2, statistics)


QUESTION = Question(
    "q", "Who is it?", "people", ("Ann",), ("Bob",), ("a passage",), {"note": "x"}, "context", "system", ("a", "b")
)


def test_answers_are_called_after_their_clusters():
    draws = SampleSet(QUESTION, draw(-1, "Ann!"), [draw(0, "Ann"), draw(1, ""), draw(2, "Bob"), draw(3, "Ann!")])
    found = without_texts(draws, (0, 1, 0))
    assert found.question == Question("q", "question q", "people")
    assert [x.text for x in found.samples] == ["cluster-1", "", "cluster-2", "cluster-1"]
    # The greedy answer is word for word that of a sample.
    assert found.greedy is not None and found.greedy.answer == "cluster-1"
    assert [x.state for x in found.samples] == [x.state for x in draws.samples]
    assert {x.statistics.token_ids is None for x in found.samples} == {True}
    assert found.samples[0].statistics.entropies is not None


def test_without_clusters_each_text_is_its_own_and_an_unsaid_greedy_answer_is_in_none():
    draws = SampleSet(QUESTION, draw(-1, "Cid"), [draw(0, "Ann"), draw(1, "Bob"), draw(2, "Ann")])
    found = without_texts(draws, None)
    assert [x.answer for x in found.samples] == ["cluster-1", "cluster-2", "cluster-1"]
    assert found.greedy is not None and found.greedy.answer == "greedy"
