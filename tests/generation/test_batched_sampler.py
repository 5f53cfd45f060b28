import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from scipy.stats import chi2_contingency, chisquare, entropy

from homogaudit.errors import ContextTooShortError
from homogaudit.generation.asking import Asker, NextTokenReader
from homogaudit.generation.batched_sampler import SPARE_SEQUENCES, BatchedSampler, NoRoomError
from homogaudit.generation.generator import DrawRequest, FollowUp, FollowUpReply, FollowUps, NextTokens
from homogaudit.generation.token_statistics import uniform_draws
from homogaudit.questions.prompts import Prompt, Segment
from homogaudit.records import GREEDY, Decoding, Generation, GenerationState, Prompting

END = 0
PIECES = (b"", b"a", b"b", b"c", b" d", b" e")
"""The vocabulary of the fake model; token 0 ends an answer."""

Logits = Callable[[tuple[int, ...]], NDArray[np.float32]]


def hashed_logits(spread: float = 3.0, tokens: int = len(PIECES)) -> Logits:
    """Logits that depend on every token so far, so that a token in the wrong place changes all that follows."""
    known: dict[tuple[int, ...], NDArray[np.float32]] = {}

    def logits(sequence: tuple[int, ...]) -> NDArray[np.float32]:
        if sequence not in known:
            digest = hashlib.blake2b(repr(sequence).encode(), digest_size=4 * tokens).digest()
            known[sequence] = (spread * (np.frombuffer(digest, np.uint32) / 2**32 - 0.5)).astype(np.float32)
        return known[sequence]

    return logits


def scripted_logits(scripts: Mapping[tuple[int, ...], Sequence[int]], tokens: int) -> Logits:
    """Logits that leave one token possible at each place: the script of the prompt that the sequence begins with."""

    def logits(sequence: tuple[int, ...]) -> NDArray[np.float32]:
        row = np.full(tokens, -np.inf, np.float32)
        for prompt, script in scripts.items():
            if sequence[: len(prompt)] == prompt:
                written = len(sequence) - len(prompt)
                row[script[written] if written < len(script) else END] = 1.0
                return row
        row[END] = 1.0
        return row

    return logits


class FakeSequences:
    """Real sequences of tokens in a cache of cells, as `LlamaSequences` has them, with every rule checked.

    Args:
        logits: The logits after a sequence of tokens.
        sequences: How many there may be.
        cells: Tokens that all sequences together may hold; shared ones count once.
        batch: Tokens of a prompt computed at a time; a prompt that does not fit stays there in part.
    """

    def __init__(
        self,
        logits: Logits,
        *,
        sequences: int,
        can_fork: bool = True,
        can_cut: bool = True,
        cells: int | None = None,
        pieces: Sequence[bytes] = PIECES,
        batch: int = 2,
    ) -> None:
        self._logits_of = logits
        self._rows: list[list[tuple[int, int]]] = [[] for _ in range(sequences)]
        self._cells = cells
        self._pieces = pieces
        self._batch = batch
        self._next_cell = 0
        self._buffer = np.empty((sequences, len(pieces)), np.float32)
        self.can_fork = can_fork
        self.can_cut = can_cut
        self.vocabulary = len(pieces)
        self.prefills: list[tuple[int, ...]] = []
        self.steps = 0
        self.passes = 0
        self.refusals = 0
        self.widest = 0

    @property
    def used_cells(self) -> int:
        return len({cell for row in self._rows for cell, _ in row})

    @property
    def in_use(self) -> list[int]:
        return [number for number, row in enumerate(self._rows) if row]

    def _append(self, sequences: Iterable[int], tokens: Iterable[int]) -> None:
        pairs = list(zip(sequences, tokens, strict=True))
        if self._cells is not None and self.used_cells + len(pairs) > self._cells:
            self.refusals += 1
            raise NoRoomError
        for sequence, token in pairs:
            self._rows[sequence].append((self._next_cell, token))
            self._next_cell += 1

    def _logits(self, sequences: Sequence[int]) -> NDArray[np.float32]:
        # What the caller kept of an earlier answer turns into NaN, as llama.cpp's buffer is overwritten.
        self._buffer[:] = np.nan
        for row, sequence in enumerate(sequences):
            self._buffer[row] = self._logits_of(tuple(token for _, token in self._rows[sequence]))
        return self._buffer[: len(sequences)]

    def arrange(self, sequences: NDArray[np.int32]) -> NDArray[np.intp]:
        # The newest first, so that a row taken for another branch's shows.
        return np.arange(len(sequences))[::-1]

    def prefill(self, sequence: int, tokens: Sequence[int], position: int) -> NDArray[np.float32]:
        assert len(tokens) > 0
        assert position == len(self._rows[sequence])
        self.prefills.append(tuple(tokens))
        for start in range(0, len(tokens), self._batch):
            part = tokens[start : start + self._batch]
            self._append([sequence] * len(part), part)
        return self._logits([sequence])[0]

    def step(
        self, sequences: NDArray[np.int32], tokens: NDArray[np.int32], positions: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        assert len(set(sequences.tolist())) == len(sequences) > 0
        assert positions.tolist() == [len(self._rows[sequence]) for sequence in sequences]
        assert (positions > 0).all()
        self._append(sequences.tolist(), tokens.tolist())
        self.steps += 1
        self.passes += len(sequences)
        self.widest = max(self.widest, len(sequences))
        return self._logits(sequences.tolist())

    def fork(self, source: int, target: int, length: int | None = None) -> None:
        assert self.can_fork
        assert self._rows[source]
        assert not self._rows[target]
        length = len(self._rows[source]) if length is None else length
        assert 0 < length <= len(self._rows[source])
        assert self.can_cut or length == len(self._rows[source])
        self._rows[target] = self._rows[source][:length]

    def free(self, sequence: int) -> None:
        self._rows[sequence] = []

    def ends(self, token: int) -> bool:
        return token == END

    def piece(self, token: int) -> bytes:
        assert token != END
        return self._pieces[token]


Answers = dict[tuple[str, int], Generation]


def request(
    question: str, indexes: Sequence[int], *, stop: tuple[str, ...] = (), starts_in_thinking: bool = False
) -> DrawRequest:
    prompt = Prompt(question, (Segment(question, True),), "base" if stop else "chat", stop, starts_in_thinking)
    return DrawRequest(question, prompt, tuple(indexes))


def questions(count: int, samples: int, *, greedy: bool = True) -> list[DrawRequest]:
    indexes = [GREEDY, *range(samples)] if greedy else list(range(samples))
    return [request(f"q{number}", indexes) for number in range(count)]


def prompts(count: int, prefix: Sequence[int] = ()) -> list[list[int]]:
    """Prompts of unequal length, told apart by their own tokens."""
    return [[*prefix, 100 + number, *range(number % 3)] for number in range(count)]


def start(
    model: FakeSequences,
    requests: Sequence[DrawRequest],
    tokens: Sequence[Sequence[int]],
    slots: int,
    **options: object,
) -> BatchedSampler:
    options.setdefault("decoding", Decoding(max_tokens=8, greedy_max_tokens=8))
    options.setdefault("prompting", Prompting())
    return BatchedSampler(model, requests, tokens, slots=slots, **options)  # type: ignore[arg-type]


def drain(sampler: BatchedSampler, slots: int = 1000) -> Answers:
    """Step to the end; every answer finishes once, and no more than `slots` are ever being drawn."""
    found: Answers = {}
    for _ in range(100_000):
        if sampler.is_done:
            assert sampler.live == 0
            assert sampler.live_texts() == {}
            return found
        for generation in sampler.step():
            key = (generation.question_id, generation.sample_index)
            assert key not in found
            found[key] = generation
        assert 0 <= sampler.live <= slots
    raise AssertionError("the sampler does not come to an end")


def draw(
    requests: Sequence[DrawRequest],
    tokens: Sequence[Sequence[int]],
    *,
    slots: int,
    logits: Logits | None = None,
    can_fork: bool = True,
    cells: int | None = None,
    pieces: Sequence[bytes] = PIECES,
    **options: object,
) -> Answers:
    """Draw with a model of exactly the sequences that are promised to be enough, and see that none stays in use."""
    model = FakeSequences(
        logits or hashed_logits(), sequences=slots + SPARE_SEQUENCES, can_fork=can_fork, cells=cells, pieces=pieces
    )
    found = drain(start(model, requests, tokens, slots, **options), slots)
    assert model.in_use in ([], [0])
    return found


def keys(requests: Sequence[DrawRequest]) -> set[tuple[str, int]]:
    return {(one.question_id, index) for one in requests for index in one.sample_indexes}


def token_ids(generation: Generation) -> list[int]:
    assert generation.statistics.token_ids is not None
    return generation.statistics.token_ids.tolist()


def assert_same(found: Answers, expected: Answers) -> None:
    assert found.keys() == expected.keys()
    for key, one in expected.items():
        other = found[key]
        assert (other.text, other.finish_reason, other.tokens) == (one.text, one.finish_reason, one.tokens)
        for name in ("token_ids", "entropies", "logprobs", "logits", "answer_mask"):
            np.testing.assert_array_equal(getattr(other.statistics, name), getattr(one.statistics, name))


def serial_answer(logits: Logits, prompt: Sequence[int], key: tuple[str, int], decoding: Decoding) -> list[int]:
    """Return the tokens of one answer drawn alone, by float64 inversion; the end token is kept where it was drawn."""
    limit = decoding.greedy_max_tokens if key[1] == GREEDY else decoding.max_tokens
    uniforms = uniform_draws(decoding.seed, *key, limit)
    sequence, answer = list(prompt), list[int]()
    while len(answer) < limit and END not in answer:
        row = logits(tuple(sequence)).astype(np.float64)
        if key[1] == GREEDY or decoding.temperature == 0.0:
            token = int(row.argmax())
        else:
            cumulative = np.cumsum(softmax(row / decoding.temperature))
            token = int(np.searchsorted(cumulative, uniforms[len(answer)], side="right"))
        answer.append(token)
        sequence.append(token)
    return answer


# Every schedule gives the same answers


@pytest.mark.parametrize("temperature", [1.0, 0.4, 0.0])
def test_answers_and_their_statistics_equal_those_of_a_serial_loop(temperature: float) -> None:
    logits = hashed_logits()
    decoding = Decoding(temperature=temperature, max_tokens=7, greedy_max_tokens=12, seed=5)
    requests, tokens = questions(4, 6), prompts(4, prefix=(50, 51))
    found = draw(requests, tokens, slots=9, logits=logits, prefix=2, decoding=decoding)
    assert found.keys() == keys(requests)
    for one, prompt in zip(requests, tokens, strict=True):
        for index in one.sample_indexes:
            generation = found[one.question_id, index]
            answer = serial_answer(logits, prompt, (one.question_id, index), decoding)
            kept = [token for token in answer if token != END]
            assert token_ids(generation) == kept
            assert generation.text == b"".join(PIECES[token] for token in kept).decode()
            assert generation.answer == generation.text.strip()
            assert generation.tokens == len(kept)
            assert generation.finish_reason == ("stop" if END in answer else "length")
            rows = np.array([logits((*prompt, *kept[:step])) for step in range(len(kept))], np.float64)
            rows = rows.reshape(len(kept), len(PIECES))
            logprobs = log_softmax(rows, axis=1) if kept else rows
            at = (np.arange(len(kept)), kept)
            np.testing.assert_allclose(generation.statistics.logprobs, logprobs[at], atol=1e-6)
            np.testing.assert_allclose(generation.statistics.logits, rows[at], atol=1e-6)
            np.testing.assert_allclose(generation.statistics.entropies, entropy(np.exp(logprobs), axis=1), atol=1e-6)


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("share_prefixes", [True, False])
@pytest.mark.parametrize("can_fork", [True, False])
def test_answers_do_not_depend_on_the_schedule(slots: int, share_prefixes: bool, can_fork: bool) -> None:
    requests, tokens = questions(5, 6), prompts(5, prefix=(50, 51, 52))
    expected = draw(requests, tokens, slots=1, share_prefixes=False, can_fork=False)
    assert expected.keys() == keys(requests)
    found = draw(requests, tokens, slots=slots, share_prefixes=share_prefixes, can_fork=can_fork, prefix=3)
    assert_same(found, expected)


@given(
    slots=st.integers(1, 12),
    samples=st.integers(0, 6),
    count=st.integers(1, 5),
    share_prefixes=st.booleans(),
    can_fork=st.booleans(),
    prefix=st.integers(0, 3),
    spread=st.sampled_from([0.5, 3.0, 10.0]),
    spare=st.integers(0, 40),
)
@settings(max_examples=120)
def test_answers_do_not_depend_on_slots_sharing_or_room(
    slots: int,
    samples: int,
    count: int,
    share_prefixes: bool,
    can_fork: bool,
    prefix: int,
    spread: float,
    spare: int,
) -> None:
    logits = hashed_logits(spread)
    requests, tokens = questions(count, samples), prompts(count, prefix=(50, 51, 52)[:prefix])
    expected = draw(requests, tokens, slots=1, logits=logits, share_prefixes=False)
    # One answer at a time just fits: the longest prompt and seven of eight tokens; the last is not forwarded.
    cells = prefix + 3 + 7 + spare
    found = draw(
        requests,
        tokens,
        slots=slots,
        logits=logits,
        share_prefixes=share_prefixes,
        can_fork=can_fork,
        prefix=prefix,
        cells=cells,
    )
    assert_same(found, expected)


@pytest.mark.parametrize("cells", [10, 17, 20, 25, 40])
def test_questions_that_find_no_room_are_drawn_again_and_come_out_the_same(cells: int) -> None:
    requests, tokens = questions(6, 5), prompts(6)
    expected = draw(requests, tokens, slots=1)
    model = FakeSequences(hashed_logits(), sequences=14, cells=cells)
    found = drain(start(model, requests, tokens, 12), 12)
    assert model.refusals > 0
    assert model.in_use == []
    assert_same(found, expected)


def test_a_requeued_question_is_told_as_started_once() -> None:
    requests, tokens = questions(6, 5), prompts(6)
    model = FakeSequences(hashed_logits(), sequences=14, cells=20)
    sampler = start(model, requests, tokens, 12)
    started: list[str] = []
    while not sampler.is_done:
        sampler.step()
        started += sampler.take_started()
    assert model.refusals > 0
    assert started == [one.question_id for one in requests]


def test_slots_are_refilled_from_later_questions() -> None:
    model = FakeSequences(hashed_logits(), sequences=9)
    sampler = start(model, questions(10, 1), prompts(10), 7, share_prefixes=False)
    drain(sampler, 7)
    # 20 answers of up to 8 tokens on 7 slots; one at a time they would take a step a token.
    assert model.widest > 3
    assert model.steps < sampler.counts.tokens / 2


def test_missing_samples_are_redrawn_as_they_were() -> None:
    requests, tokens = questions(3, 6), prompts(3, prefix=(50,))
    whole = draw(requests, tokens, slots=8, prefix=1)
    missing = [request("q0", [4]), request("q1", [GREEDY, 1, 5]), request("q2", [])]
    found = draw(missing, tokens, slots=2, prefix=1)
    assert_same(found, {key: whole[key] for key in [("q0", 4), ("q1", GREEDY), ("q1", 1), ("q1", 5)]})


@pytest.mark.parametrize("slots", [1, 3, 7])
def test_samples_that_are_left_for_later_come_out_as_if_they_were_drawn_at_once(slots: int) -> None:
    requests, tokens = questions(5, 6), prompts(5, prefix=(50,))
    whole = draw(requests, tokens, slots=slots, prefix=1)
    model = FakeSequences(hashed_logits(), sequences=slots + SPARE_SEQUENCES)
    short = [replace(one, sample_indexes=one.sample_indexes[:3], later=one.sample_indexes[3:]) for one in requests]
    sampler = start(model, short, tokens, slots, prefix=1)
    found: Answers = {}
    started: list[str] = []
    while not sampler.is_done:
        for generation in sampler.step():
            found[generation.question_id, generation.sample_index] = generation
            question_id = generation.question_id
            # Every other question goes on, as soon as its first answers are there.
            if sum(key[0] == question_id for key in found) == 3 and question_id in ("q0", "q2", "q4"):
                sampler.draw_later(question_id)
        started += sampler.take_started()
    assert started == [one.question_id for one in requests]
    assert_same(found, {key: one for key, one in whole.items() if key[0] in ("q0", "q2", "q4") or key[1] < 2})
    assert model.in_use in ([], [0])


def test_a_longer_limit_goes_on_with_the_same_answer() -> None:
    requests, tokens = questions(3, 5), prompts(3)
    short = draw(requests, tokens, slots=4, decoding=Decoding(max_tokens=3, greedy_max_tokens=3))
    long = draw(requests, tokens, slots=4, decoding=Decoding(max_tokens=12, greedy_max_tokens=12))
    for key, generation in short.items():
        assert token_ids(long[key])[: len(token_ids(generation))] == token_ids(generation)
    assert any(generation.is_truncated for generation in short.values())


def test_another_seed_gives_other_samples_and_the_same_greedy_answer() -> None:
    first, second = (
        draw(questions(4, 5), prompts(4), slots=5, decoding=Decoding(max_tokens=8, greedy_max_tokens=8, seed=seed))
        for seed in (0, 1)
    )
    different = [key for key in first if token_ids(first[key]) != token_ids(second[key])]
    assert len(different) > 10
    assert all(index != GREEDY for _, index in different)


# The draws are independent and exact


@pytest.fixture(scope="module")
def many() -> tuple[Logits, list[list[int]]]:
    """4,000 samples of two tokens at most, with an end token drawn kept as such."""
    logits = hashed_logits()
    decoding = Decoding(max_tokens=2, greedy_max_tokens=2, seed=11)
    found = draw(questions(1, 4000, greedy=False), [[7, 8]], slots=64, logits=logits, decoding=decoding)
    answers: list[list[int]] = []
    for index in range(4000):
        generation = found["q0", index]
        answers.append(token_ids(generation) + ([END] if generation.finish_reason == "stop" else []))
    return logits, answers


def test_first_tokens_follow_the_softmax(many: tuple[Logits, list[list[int]]]) -> None:
    logits, answers = many
    expected = softmax(logits((7, 8)).astype(np.float64)) * len(answers)
    observed = np.bincount([answer[0] for answer in answers], minlength=len(PIECES))
    assert chisquare(observed, expected).pvalue > 1e-3


def test_token_pairs_follow_the_chain_of_softmaxes(many: tuple[Logits, list[list[int]]]) -> None:
    logits, answers = many
    first = softmax(logits((7, 8)).astype(np.float64))
    expected: dict[tuple[int, ...], float] = {(END,): first[END]}
    for token in range(1, len(PIECES)):
        for follower, probability in enumerate(softmax(logits((7, 8, token)).astype(np.float64))):
            expected[token, follower] = first[token] * probability
    observed = {pair: 0 for pair in expected}
    for answer in answers:
        observed[tuple(answer)] += 1
    counts = np.array([observed[pair] for pair in expected])
    assert chisquare(counts, np.array(list(expected.values())) * len(answers)).pvalue > 1e-3


def test_samples_of_a_question_are_independent(many: tuple[Logits, list[list[int]]]) -> None:
    _, answers = many
    first = np.array([answer[0] for answer in answers])
    for lag in (1, 2, 64):
        table = np.zeros((len(PIECES), len(PIECES)))
        # Pairs that do not overlap, so that the counts are independent of each other.
        starts = [i for i in range(len(first) - lag) if (i // lag) % 2 == 0]
        np.add.at(table, (first[starts], first[[i + lag for i in starts]]), 1)
        assert chi2_contingency(table).pvalue > 1e-3


def test_equal_prompts_under_different_ids_are_drawn_independently() -> None:
    requests = questions(2, 1500, greedy=False)
    decoding = Decoding(max_tokens=1, greedy_max_tokens=1)
    found = draw(requests, [[7, 8], [7, 8]], slots=64, decoding=decoding)
    table = np.zeros((len(PIECES), len(PIECES)))
    for index in range(1500):
        a, b = (token_ids(found[question, index]) or [END] for question in ("q0", "q1"))
        table[a[0], b[0]] += 1
    assert chi2_contingency(table).pvalue > 1e-3


# What sharing saves


def test_a_pass_is_one_token_of_one_branch() -> None:
    requests, tokens = questions(4, 9), prompts(4)
    passes: dict[bool, int] = {}
    for share_prefixes in (True, False):
        model = FakeSequences(hashed_logits(10.0), sequences=42)
        sampler = start(model, requests, tokens, 40, share_prefixes=share_prefixes)
        found = drain(sampler)
        # An answer's last token is not forwarded: neither the end token nor the one at the limit.
        forwarded = {key: token_ids(one)[: -1 if one.finish_reason == "length" else None] for key, one in found.items()}
        if share_prefixes:
            expected = len({(key[0], *ids[:end]) for key, ids in forwarded.items() for end in range(1, len(ids) + 1)})
        else:
            expected = sum(len(ids) for ids in forwarded.values())
        assert sampler.counts.passes == model.passes == expected
        assert sampler.counts.tokens == sum(len(token_ids(one)) for one in found.values())
        assert sampler.counts.steps == model.steps
        passes[share_prefixes] = sampler.counts.passes
    assert passes[True] < passes[False]


def test_samples_that_all_agree_cost_one_pass_a_token() -> None:
    logits = scripted_logits({(9,): [1, 2, 3, 4]}, len(PIECES))
    model = FakeSequences(logits, sequences=12)
    sampler = start(model, questions(1, 9), [[9]], 10)
    texts = {one.text for one in drain(sampler).values()}
    assert texts == {"abc d"}
    assert sampler.counts.passes == 4


def test_the_common_prefix_is_computed_once() -> None:
    prefix = (50, 51, 52, 53)
    model = FakeSequences(hashed_logits(), sequences=5)
    sampler = start(model, questions(6, 4), prompts(6, prefix=prefix), 3, prefix=4)
    drain(sampler)
    assert model.prefills.count(prefix) == 1
    assert 0 < sampler.counts.prompt_seconds < sampler.counts.model_seconds < sampler.counts.seconds
    # Each prompt's own tokens: 1, 2, 3, 1, 2, 3.
    assert sampler.counts.prompt_tokens == sum(map(len, model.prefills)) == 4 + 12
    assert model.in_use == [0]


def test_without_forking_each_draw_computes_its_whole_prompt() -> None:
    model = FakeSequences(hashed_logits(), sequences=3, can_fork=False)
    tokens = prompts(3, prefix=(50, 51))
    sampler = start(model, questions(3, 4), tokens, 1, prefix=2)
    drain(sampler)
    assert sampler.counts.prompt_tokens == 5 * sum(map(len, tokens))
    assert model.in_use == []


# Where answers end


def test_greedy_answers_and_samples_have_limits_of_their_own() -> None:
    never_ends: Logits = lambda sequence: np.array([-np.inf, 0, 0, 0, 0, 1], np.float32)  # noqa: E731
    for greedy, sampled in ((9, 3), (2, 6)):
        decoding = Decoding(max_tokens=sampled, greedy_max_tokens=greedy)
        found = draw(questions(2, 3), prompts(2), slots=4, logits=never_ends, decoding=decoding)
        for (_, index), generation in found.items():
            assert generation.tokens == (greedy if index == GREEDY else sampled)
            assert generation.finish_reason == "length"
            assert generation.is_truncated


def test_an_end_token_first_gives_an_empty_answer() -> None:
    logits = scripted_logits({(9,): []}, len(PIECES))
    model = FakeSequences(logits, sequences=4)
    sampler = start(model, questions(2, 3), [[9], [8]], 2)
    found = drain(sampler)
    assert len(found) == 8
    for generation in found.values():
        assert generation.state is GenerationState.EMPTY
        assert (generation.text, generation.tokens, generation.finish_reason) == ("", 0, "stop")
        assert token_ids(generation) == []
    assert sampler.counts.steps == 0
    assert model.in_use == []


def test_an_answer_of_white_space_is_empty() -> None:
    pieces = (b"", b" ", b"\n")
    found = draw(questions(1, 0), [[9]], slots=1, logits=scripted_logits({(9,): [1, 2, 1]}, 3), pieces=pieces)
    generation = found["q0", GREEDY]
    assert generation.state is GenerationState.EMPTY
    assert generation.tokens == 3
    assert generation.statistics.answer_mask is not None
    assert not generation.statistics.answer_mask.any()


@pytest.mark.parametrize(
    ("script", "stop", "text", "tokens"),
    [
        ([1, 3], ("\n",), "one", 1),  # the stop begins a piece: that token is not of the answer
        ([1, 4, 1], ("\n",), "one two", 2),  # in the middle: what stands before it is
        ([1, 5, 6, 2], ("END",), "one", 1),  # spread over two pieces, " E" and "ND": the first goes too
        ([1, 7, 6, 2], ("END",), "one two", 2),  # " twoE" loses its last letter
        ([1, 8, 9, 10, 1], ("。",), "one", 1),  # the three bytes of one character, each a token
        ([1, 4, 5, 6], ("END", "\n"), "one two", 2),  # the first of several
        ([1, 5, 2], ("END",), "oneE two", 3),  # only its beginning: no stop
    ],
)
def test_a_stop_string_is_cut(script: list[int], stop: tuple[str, ...], text: str, tokens: int) -> None:
    pieces = (b"", b"one", b" two", b"\n", b" two\nmore", b"E", b"ND", b" twoE", b"\xe3", b"\x80", b"\x82")
    logits = scripted_logits({(99,): script}, len(pieces))
    model = FakeSequences(logits, sequences=5, pieces=pieces)
    sampler = start(model, [request("q", [GREEDY, 0, 1], stop=stop)], [[99]], 3)
    for generation in drain(sampler).values():
        assert generation.text == generation.answer == text
        assert generation.finish_reason == "stop"
        assert token_ids(generation) == script[:tokens]
        assert generation.tokens == tokens
        assert generation.statistics.logprobs is not None
        assert len(generation.statistics.logprobs) == tokens
    assert sampler.counts.tokens == 3 * tokens
    assert model.in_use == []


# Thinking


THINKING = (b"", b"<think>", b"</think>", b"hm", b"\n\n", b" 42", b"\xe2\x82", b"\xac", b"</th", b"ink>ok")


@pytest.mark.parametrize(
    ("script", "starts_in_thinking", "answer", "mask"),
    [
        ([1, 3, 2, 4, 5, 5], False, "42 42", [0, 0, 0, 0, 1, 1]),
        ([3, 3, 2, 5, 4], True, "42", [0, 0, 0, 1, 0]),
        ([1, 3, 2, 3, 2, 5], False, "42", [0, 0, 0, 0, 0, 1]),  # what follows the last closing marker
        ([1, 3, 8, 9, 5], False, "ok 42", [0, 0, 0, 1, 1]),  # a marker that ends inside a token of the answer
        ([4, 5, 6, 7], False, "42€", [0, 1, 1, 1]),
    ],
)
def test_the_mask_covers_the_tokens_of_the_answer(
    script: list[int], starts_in_thinking: bool, answer: str, mask: list[int]
) -> None:
    logits = scripted_logits({(99,): script}, len(THINKING))
    asked = [request("q", [GREEDY], starts_in_thinking=starts_in_thinking)]
    generation = draw(asked, [[99]], slots=1, logits=logits, pieces=THINKING)["q", GREEDY]
    assert generation.state is GenerationState.VALID
    assert generation.answer == answer
    assert generation.text == b"".join(THINKING[token] for token in script).decode()
    assert generation.statistics.answer_mask is not None
    assert generation.statistics.answer_mask.tolist() == [bool(one) for one in mask]
    of_answer = generation.statistics.of_answer(generation.statistics.logprobs)
    assert of_answer is not None
    assert len(of_answer) == sum(mask)


@pytest.mark.parametrize(("script", "starts_in_thinking"), [([1, 3, 5], False), ([3, 5], True), ([3, 2, 1, 5], False)])
def test_thinking_that_never_closes_holds_no_answer(script: list[int], starts_in_thinking: bool) -> None:
    logits = scripted_logits({(99,): script}, len(THINKING))
    asked = [request("q", [GREEDY, 0], starts_in_thinking=starts_in_thinking)]
    for generation in draw(asked, [[99]], slots=2, logits=logits, pieces=THINKING).values():
        assert generation.state is GenerationState.THINKING_UNCLOSED
        assert generation.answer == ""
        assert generation.statistics.answer_mask is not None
        assert not generation.statistics.answer_mask.any()


def test_an_answer_without_thinking_needs_no_mask() -> None:
    logits = scripted_logits({(99,): [5, 5]}, len(THINKING))
    for prompting in (Prompting(), Prompting(think_open="", think_close="")):
        found = draw([request("q", [0])], [[99]], slots=1, logits=logits, pieces=THINKING, prompting=prompting)
        assert found["q", 0].answer == "42 42"
        assert found["q", 0].statistics.answer_mask is None


# What can be seen while it runs


def test_live_texts_only_ever_grow_and_end_as_the_answers() -> None:
    # Bytes of characters of two, three and four bytes, which the draws also put together wrongly.
    pieces = (b"", b"a", b"\xc3", b"\xa9", b"\xe2\x82", b"\xac", b"\xf0\x9f", b"\x98\x80", " é".encode())
    model = FakeSequences(hashed_logits(2.0, len(pieces)), sequences=9, pieces=pieces)
    sampler = start(model, questions(5, 6), prompts(5), 7)
    before: dict[tuple[str, int], str] = {}
    seen = of_finished = 0
    while not sampler.is_done:
        finished = {(one.question_id, one.sample_index): one for one in sampler.step()}
        live = sampler.live_texts()
        assert len(live) == len(sampler.live_tokens()) == sampler.live
        of_finished += sum(one.tokens or 0 for one in finished.values())
        assert sum(sampler.live_tokens()) + of_finished == sampler.counts.tokens
        assert not live.keys() & finished.keys()
        for key, text in before.items():
            # Broken bytes are left out while the answer grows and shown as U+FFFD when it is finished.
            later = live[key] if key in live else finished[key].text.replace("\ufffd", "")
            assert later.startswith(text)
            seen += 1
        before = live
    assert seen > 50


def test_characters_split_over_tokens_are_put_together() -> None:
    pieces = (b"", b"\xf0\x9f", b"\x98\x80", b"caf\xc3", b"\xa9", b" ")
    logits = scripted_logits({(99,): [3, 4, 5, 1, 2]}, len(pieces))
    sampler = start(FakeSequences(logits, sequences=3, pieces=pieces), [request("q", [GREEDY])], [[99]], 1)
    shown: list[str] = []
    finished: list[Generation] = []
    while not sampler.is_done:
        finished += sampler.step()
        shown += sampler.live_texts().values()
    # The first step draws two tokens, one from the prompt and one from the first.
    assert shown == ["café", "café ", "café ", "café 😀"]
    assert finished[0].text == "café 😀"


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    pieces = (b"", b"\xff", b"x", b"\xe2\x82")
    logits = scripted_logits({(99,): [2, 1, 2, 3]}, len(pieces))
    found = draw([request("q", [0])], [[99]], slots=1, logits=logits, pieces=pieces)
    assert found["q", 0].text == "x\ufffdx\ufffd"


def test_questions_start_in_their_order_and_are_told_once() -> None:
    sampler = start(FakeSequences(hashed_logits(), sequences=5), questions(6, 4), prompts(6), 3)
    assert sampler.take_started() == []
    assert not sampler.is_done
    started: list[str] = []
    finished: set[str] = set()
    while not sampler.is_done:
        step = sampler.step()
        started += sampler.take_started()
        assert sampler.take_started() == []
        finished |= {one.question_id for one in step}
        assert finished <= set(started)
    assert started == [f"q{number}" for number in range(6)]


def test_nothing_runs_before_the_first_step() -> None:
    model = FakeSequences(hashed_logits(), sequences=5)
    sampler = start(model, questions(2, 2), prompts(2), 3)
    assert model.prefills == []
    assert (sampler.live, sampler.live_texts()) == (0, {})


def test_no_requests_are_done_at_once() -> None:
    assert start(FakeSequences(hashed_logits(), sequences=5), [], [], 3).is_done
    assert start(FakeSequences(hashed_logits(), sequences=5), [request("q", [])], [[1]], 3).is_done


# A context too short


def test_a_prompt_that_does_not_fit_names_its_question() -> None:
    model = FakeSequences(hashed_logits(), sequences=5, cells=12)
    sampler = start(model, [request("short", [0]), request("long one", [0])], [[1], list(range(1, 20))], 3)
    with pytest.raises(ContextTooShortError, match=r"`long one`") as error:
        drain(sampler)
    assert "\n" not in error.value.message
    assert error.value.hint


def test_an_answer_that_does_not_fit_names_its_question() -> None:
    never_ends: Logits = lambda sequence: np.array([-np.inf, 0, 0, 0, 0, 1], np.float32)  # noqa: E731
    model = FakeSequences(never_ends, sequences=7, cells=8)
    sampler = start(model, [request("too long", range(5))], [[1, 2, 3]], 5)
    # Three cells of prompt and seven of the answer are ten.
    with pytest.raises(ContextTooShortError, match=r"`too long`"):
        drain(sampler)


def test_a_cache_for_one_answer_at_a_time_is_enough() -> None:
    never_ends: Logits = lambda sequence: np.array([-np.inf, 0, 0, 0, 0, 1], np.float32)  # noqa: E731
    requests = [request("a", [GREEDY, *range(9)]), request("b", range(9))]
    tokens = [[1, 2, 3], [4, 5, 6]]
    found = draw(requests, tokens, slots=10, logits=never_ends, cells=10)
    assert_same(found, draw(requests, tokens, slots=1, logits=never_ends))


# Asking about greedy answers

_QUESTIONS, _READ, _WRITTEN = 4, [3, 4], [3, 1, 2]


def _letters(answer: Generation) -> list[int]:
    ids = answer.statistics.token_ids
    assert ids is not None
    return ids.tolist()


def _follow_ups(known: Mapping[str, Sequence[int]], prefix: int | None = None) -> FollowUps:
    """Ask one thing that is read and one that is replied to; of what is known `prefix` tokens stay as they were."""

    def about(answer: Generation) -> list[FollowUp]:
        spoken = [*known[answer.question_id], *_letters(answer)]
        if prefix is not None:
            spoken[prefix:] = [5] * (len(spoken) - prefix)
        read, written = (
            Prompt(" ".join(map(str, [*spoken, *more])), (), "chat", (), False) for more in (_READ, _WRITTEN)
        )
        # Stated with the longer one first: what is read goes before it all the same.
        return [FollowUp("written", written, 4), FollowUp("read", read, words=frozenset({"b"}))]

    return FollowUps(about, 4)


def _asker(follow_ups: FollowUps) -> Asker:
    def tokenize(prompt: Prompt) -> list[int]:
        return [int(token) for token in prompt.text.split()]

    return Asker(follow_ups, tokenize, lambda words: NextTokenReader(("b",), np.array([2])), 1000)


def _ask(
    slots: int, *, prefix: int | None = None, can_cut: bool = True, cells: int | None = None
) -> tuple[Answers, dict[tuple[str, str], FollowUpReply], FakeSequences, BatchedSampler]:
    """Draw with follow-ups; each reply comes once and behind its answer, and no sequence stays in use."""
    asked = _follow_ups({f"q{number}": tokens for number, tokens in enumerate(prompts(_QUESTIONS, (7, 7)))}, prefix)
    model = FakeSequences(hashed_logits(), sequences=slots + SPARE_SEQUENCES, cells=cells, can_cut=can_cut)
    tokens = prompts(_QUESTIONS, (7, 7))
    sampler = start(model, questions(_QUESTIONS, 3), tokens, slots, prefix=2, asker=_asker(asked))
    found: Answers = {}
    replies: dict[tuple[str, str], FollowUpReply] = {}
    for _ in range(10_000):
        if sampler.is_done:
            break
        found |= {(x.question_id, x.sample_index): x for x in sampler.step()}
        assert all(index >= GREEDY for _, index in sampler.live_texts())
        for reply in sampler.take_replies():
            assert (reply.question_id, GREEDY) in found
            assert (reply.question_id, reply.kind) not in replies
            replies[reply.question_id, reply.kind] = reply
    assert sampler.is_done and sampler.live == 0 and model.in_use in ([], [0])
    return found, replies, model, sampler


def _expected_reply(prompt: Sequence[int]) -> list[int]:
    """The most likely tokens behind a prompt, one after the other."""
    logits, sequence = hashed_logits(), list(prompt)
    for _ in range(4):
        token = int(logits(tuple(sequence)).argmax())
        if token == END:
            break
        sequence.append(token)
    return sequence[len(prompt) :]


@pytest.mark.parametrize("slots", [1, 3, 8])
@pytest.mark.parametrize(("prefix", "can_cut"), [(None, True), (None, False), (3, True), (3, False), (0, True)])
def test_what_is_asked_about_an_answer_is_replied_to_as_in_a_fresh_context(
    slots: int, prefix: int | None, can_cut: bool
) -> None:
    found, replies, _, _ = _ask(slots, prefix=prefix, can_cut=can_cut)
    assert replies.keys() == {(f"q{number}", kind) for number in range(_QUESTIONS) for kind in ("read", "written")}
    for number, tokens in enumerate(prompts(_QUESTIONS, (7, 7))):
        spoken = [*tokens, *_letters(found[f"q{number}", GREEDY])]
        if prefix is not None:
            spoken[prefix:] = [5] * (len(spoken) - prefix)
        read, written = (replies[f"q{number}", kind].said for kind in ("read", "written"))
        assert isinstance(read, NextTokens) and isinstance(written, Generation)
        expected = log_softmax(hashed_logits()((*spoken, *_READ)).astype(np.float64))[2]
        assert read.logprobs.tolist() == pytest.approx([expected])
        assert _letters(written) == _expected_reply([*spoken, *_WRITTEN])


@given(slots=st.integers(1, 9), cells=st.none() | st.integers(40, 90))
@settings(max_examples=60)
def test_asking_changes_no_answer_whatever_room_there_is(slots: int, cells: int | None) -> None:
    found, replies, _, _ = _ask(slots, cells=cells)
    expected = draw(questions(_QUESTIONS, 3), prompts(_QUESTIONS, (7, 7)), slots=4)
    assert {key: _letters(x) for key, x in found.items()} == {key: _letters(x) for key, x in expected.items()}
    # What finds no room gets no reply; with room for all, all do.
    assert len(replies) == 2 * _QUESTIONS or cells is not None


def test_a_follow_up_computes_only_what_is_not_in_the_cache() -> None:
    found, replies, model, _ = _ask(8)
    for number in range(_QUESTIONS):
        answer = found[f"q{number}", GREEDY]
        # The last token of a finished answer was drawn and never forwarded; an end token is none of the answer's.
        last = answer.finish_reason == "length"
        assert replies[f"q{number}", "read"].tokens == len(_READ) + last
        # What is replied to begins as what was read, by one token and by the last one of the answer.
        written = replies[f"q{number}", "written"]
        assert isinstance(written.said, Generation)
        assert written.tokens == len(_WRITTEN) - 1 + len(_letters(written.said))
    # The prefix, each prompt, and two follow-ups of each.
    assert len(model.prefills) == 1 + 3 * _QUESTIONS


def test_replies_are_counted_apart_from_answers() -> None:
    found, replies, _, sampler = _ask(4)
    assert sampler.counts.tokens == sum(len(_letters(x)) for x in found.values())
    spent = sum(reply.seconds for reply in replies.values())
    assert 0 < spent <= sampler.counts.asking_seconds < sampler.counts.seconds
