"""The scheduler of batched sampling: slots, shared prompts, and a prefix tree over the samples of a question.

Samples of one question that have the same tokens so far have the same next-token distribution, so they share one
branch: one forward pass serves them all, each draws its own token, and the branch is forked only where they
differ. The draws stay independent and exact. The greedy answer is one more member.

It knows sequences and tokens through the `SequenceModel` protocol and nothing of llama.cpp.
"""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from homogaudit.errors import ContextTooShortError, ModelError
from homogaudit.generation.asking import Asker, HeldAnswer, TokenizedFollowUp, shared_length
from homogaudit.generation.generator import DrawRequest, FollowUp, FollowUpReply, SamplerCounts
from homogaudit.generation.token_statistics import TokenSampler, uniform_draws
from homogaudit.generation.token_texts import answer_mask, decoded_answer
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import GREEDY, Decoding, Generation, Prompting, TokenStatistics

if TYPE_CHECKING:
    from homogaudit.generation.torch_statistics import TorchTokenSampler

SPARE_SEQUENCES = 4
"""Sequences that a model needs beside one for each slot: one holds the prefix of all prompts, one the prompt of the
next question, and beside an answer that is asked about stand a prompt that is read and one that is replied to."""


class NoRoomError(Exception):
    """The model's cache has no room for this step; nothing was changed."""


class DeviceMemoryError(NoRoomError):
    """The device ran out of memory in this step, as it would again; nothing was changed."""


class SequenceModel(Protocol):
    """A model that holds several token sequences whose common beginnings can share memory.

    Sequence numbers run from 0 to `max_sequences - 1`; the caller hands them out. Logits are float32 arrays of whatever
    kind the sampler takes.
    """

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        ...

    @property
    def can_fork(self) -> bool:
        """Whether a sequence can be copied; where not, each draw computes its prompt anew."""
        ...

    def prefill(self, sequence: int, tokens: Sequence[int], position: int) -> Any:
        """Append `tokens` at `position`; return the logits (V,) after the last one.

        Raises:
            NoRoomError: The cache is full.
        """
        ...

    def step(self, sequences: NDArray[np.int32], tokens: NDArray[np.int32], positions: NDArray[np.int32]) -> Any:
        """Append one token to each sequence; return (B, V) logits, valid until the next call.

        Raises:
            NoRoomError: The cache is full.
        """
        ...

    def arrange(self, sequences: NDArray[np.int32]) -> NDArray[np.intp]:
        """Return the order in which a step of these sequences takes least."""
        ...

    @property
    def can_cut(self) -> bool:
        """Whether a copy may end earlier than what it is copied from."""
        ...

    def fork(self, source: int, target: int, length: int | None = None) -> None:
        """Make the empty `target` a copy of `source`, or of its first `length` tokens."""
        ...

    def free(self, sequence: int) -> None:
        """Forget a sequence."""
        ...

    def ends(self, token: int) -> bool:
        """Whether `token` ends the answer."""
        ...

    def piece(self, token: int) -> bytes:
        """Return the UTF-8 bytes that `token` adds to the text; empty for a control token."""
        ...


@dataclass(slots=True)
class _Pending:
    """A question some of whose draws have not started yet."""

    request: DrawRequest
    tokens: Sequence[int]
    waiting: deque[int]
    root: int | None = None
    """The sequence that holds the prompt while draws wait for a slot."""
    root_logits: Any = None
    is_started: bool = False
    """Whether a first draw has ever started, so that a requeued question is not told twice."""
    follow_up: FollowUp | None = None
    """What is replied to; `None` for an answer."""
    computed: int = 0
    """Tokens of a follow-up's prompt that were not in the cache."""
    seconds: float = 0.0
    """That a reply has taken so far."""


@dataclass(slots=True, eq=False)
class _Draw:
    """One answer being drawn; its statistics are in row `row` of the sampler's tables."""

    pending: _Pending
    sample_index: int
    row: int
    limit: int
    uniforms: NDArray[np.float64]
    started: float
    length: int = 0
    pieces: list[bytes] = field(default_factory=list[bytes])

    @property
    def key(self) -> tuple[str, int]:
        return (self.pending.request.question_id, self.sample_index)


@dataclass(slots=True, eq=False)
class _Branch:
    """Draws whose tokens are equal so far, and the sequence that holds them."""

    pending: _Pending
    sequence: int
    token: int
    position: int
    members: list[_Draw]


class BatchedSampler:
    """Draws every requested answer, a batched step at a time.

    `prefix` is the number of leading tokens that all prompts share, which are computed once; `slots` answers are drawn
    at the same time and need `SPARE_SEQUENCES` more of the model. `share_prefixes` is off only to measure it, and
    `sampler` is `None` for the one that takes NumPy arrays. With an `asker`, greedy answers are asked about as soon as
    they are there; what finds no room gets no reply.

    Raises:
        ContextTooShortError: While stepping, when not even one answer fits.
        ModelError: While stepping, when the device has no memory for even one answer.
    """

    def __init__(
        self,
        model: SequenceModel,
        requests: Sequence[DrawRequest],
        prompt_tokens: Sequence[Sequence[int]],
        *,
        decoding: Decoding,
        prompting: Prompting,
        slots: int,
        prefix: int = 0,
        share_prefixes: bool = True,
        sampler: "TorchTokenSampler | None" = None,
        asker: Asker | None = None,
    ) -> None:
        self._model = model
        self._asker = asker if model.can_fork else None
        self._held: list[HeldAnswer] = []
        self._replies: list[FollowUpReply] = []
        self._decoding = decoding
        self._prompting = prompting
        self._slots = slots
        self._share_prefixes = share_prefixes
        self._queue = deque(
            _Pending(request, tokens, deque(request.sample_indexes))
            for request, tokens in zip(requests, prompt_tokens, strict=True)
            if request.sample_indexes
        )
        self._later = {pending.request.question_id: pending for pending in self._queue if pending.request.later}
        width = max(decoding.max_tokens, decoding.greedy_max_tokens, asker.follow_ups.longest if asker else 0)
        self._tokens = np.empty((slots, width), np.int32)
        self._entropies = np.empty((slots, width), np.float32)
        self._logprobs = np.empty((slots, width), np.float32)
        self._logits = np.empty((slots, width), np.float32)
        self._free_rows = list(range(slots - 1, -1, -1))
        self._free_sequences = list(range(slots + SPARE_SEQUENCES - 1, 0, -1))
        self._prefix_tokens = list(prompt_tokens[0][:prefix]) if prefix and model.can_fork else []
        self._prefix_is_ready = False
        self._sampler = sampler or TokenSampler(slots, model.vocabulary, decoding)
        self._branches: list[_Branch] = []
        self._is_holding = False
        self._started: list[str] = []
        self._step_seconds = 0.0
        self.counts = SamplerCounts()

    @property
    def is_done(self) -> bool:
        """Whether every requested draw is finished."""
        return not self._queue and not self._branches and not self._held

    @property
    def slots(self) -> int:
        """Answers drawn at the same time, fewer than at first where memory ran out."""
        return self._slots

    @property
    def live(self) -> int:
        """Answers being drawn now."""
        return self._slots - len(self._free_rows)

    def take_started(self) -> list[str]:
        """Return the ids of the questions whose first draw has started since the last call."""
        started, self._started = self._started, []
        return started

    def draw_later(self, question_id: str) -> None:
        """Draw what a request has left for later next; its other draws are finished."""
        pending = self._later.pop(question_id)
        pending.waiting = deque(pending.request.later)
        # Behind a question whose prompt stands in the cache already.
        self._queue.insert(int(bool(self._queue) and self._queue[0].root is not None), pending)

    def take_replies(self) -> list[FollowUpReply]:
        """Return what was said to follow-ups since the last call, each behind its greedy answer."""
        replies, self._replies = self._replies, []
        return replies

    def live_texts(self) -> dict[tuple[str, int], str]:
        """Return the text so far of every answer being drawn; a later one begins with the earlier one."""
        return {
            draw.key: b"".join(draw.pieces).decode("utf-8", "ignore")
            for branch in self._branches
            if branch.pending.follow_up is None
            for draw in branch.members
        }

    def live_tokens(self) -> list[int]:
        """Return how many tokens each answer has that is being drawn."""
        return [x.length for branch in self._branches if branch.pending.follow_up is None for x in branch.members]

    def step(self) -> list[Generation]:
        """Start draws in free slots, advance every live one by a token, and return those that finished."""
        begun = time.perf_counter()
        finished = self._start_draws()
        if self._branches:
            branches = self._branches
            sequences = np.fromiter((b.sequence for b in branches), np.int32, len(branches))
            tokens = np.fromiter((b.token for b in branches), np.int32, len(branches))
            positions = np.fromiter((b.position for b in branches), np.int32, len(branches))
            order = self._model.arrange(sequences)
            try:
                logits = self._timed_step(sequences[order], tokens[order], positions[order])
            except DeviceMemoryError:
                if branches[-1].pending.follow_up is not None:
                    self._requeue_newest()
                else:
                    self._halve_live()
            except NoRoomError:
                self._requeue_newest()
            else:
                for branch in branches:
                    branch.position += 1
                self._count_replying(branches)
                self._branches = []
                finished += self._advance(branches, logits, np.argsort(order))
                self.counts.passes += len(branches)
                self.counts.steps += 1
        if finished:
            self._is_holding = False
        self.counts.seconds += time.perf_counter() - begun
        return finished

    def _timed_step(self, sequences: NDArray[np.int32], tokens: NDArray[np.int32], positions: NDArray[np.int32]) -> Any:
        begun = time.perf_counter()
        try:
            return self._model.step(sequences, tokens, positions)
        finally:
            self._step_seconds = time.perf_counter() - begun
            self.counts.model_seconds += self._step_seconds

    def _count_replying(self, branches: Sequence[_Branch]) -> None:
        """Give the replies among the branches their share of the last step."""
        share = self._step_seconds / len(branches)
        for branch in branches:
            if branch.pending.follow_up is not None:
                branch.pending.seconds += share
                self.counts.asking_seconds += share
                self.counts.model_seconds -= share

    def _timed_prefill(self, sequence: int, tokens: Sequence[int], position: int) -> Any:
        begun = time.perf_counter()
        try:
            return self._model.prefill(sequence, tokens, position)
        finally:
            spent = time.perf_counter() - begun
            self.counts.model_seconds += spent
            self.counts.prompt_seconds += spent
            self.counts.prompt_tokens += len(tokens)

    # Starting

    def _start_draws(self) -> list[Generation]:
        """Fill the free slots from the queue; return draws that ended with their first token."""
        self._ask()
        finished: list[Generation] = []
        while self._free_rows and self._queue and not self._is_holding:
            pending = self._queue[0]
            if pending.root is None:
                try:
                    self._prefill(pending)
                except NoRoomError as error:
                    self._no_room_for_prompt(pending, error)
                    break
            assert pending.root is not None and pending.root_logits is not None
            together = len(self._free_rows) if self._model.can_fork and self._share_prefixes else 1
            members = [
                self._new_draw(pending, pending.waiting.popleft()) for _ in range(min(together, len(pending.waiting)))
            ]
            root = _Branch(pending, pending.root, -1, len(pending.tokens), members)
            keep_root = bool(pending.waiting) and self._model.can_fork
            logits = pending.root_logits
            if not keep_root:
                pending.root = pending.root_logits = None
            if not pending.waiting:
                self._queue.popleft()
            finished += self._advance([root], logits[None, :], np.zeros(1, np.intp), keep_sequence=keep_root)
            self._ask()
        return finished

    def _prefill(self, pending: _Pending) -> None:
        """Compute a question's prompt into a sequence of its own."""
        sequence = self._free_sequences.pop()
        start = 0
        try:
            if self._prefix_tokens:
                if not self._prefix_is_ready:
                    self._timed_prefill(0, self._prefix_tokens, 0)
                    self._prefix_is_ready = True
                self._model.fork(0, sequence)
                start = len(self._prefix_tokens)
            logits = self._timed_prefill(sequence, pending.tokens[start:], start)
        except NoRoomError:
            self._release(sequence)
            raise
        if not pending.is_started:
            pending.is_started = True
            self._started.append(pending.request.question_id)
        pending.root = sequence
        pending.root_logits = self._sampler.keep(logits)

    # Asking about greedy answers

    def _hold(self, branch: _Branch, answer: Generation) -> None:
        """Keep the cells of a greedy answer that is to be asked about."""
        assert self._asker is not None
        left = self._asker.about(answer)
        if left:
            sequence = self._free_sequences.pop()
            self._model.fork(branch.sequence, sequence)
            token_ids = answer.statistics.token_ids
            assert token_ids is not None
            # The last token was never forwarded; one that was cut off with its text is not among them.
            tokens = [*branch.pending.tokens, *token_ids.tolist()][: branch.position]
            self._held.append(HeldAnswer(answer.question_id, [(sequence, tokens)], left))

    def _ask(self) -> None:
        """Ask about the answers that are held; what finds no room, or no slot, is left to be asked another time."""
        held, self._held = self._held, []
        for answer in held:
            try:
                while answer.left and (self._free_rows or not answer.left[0].follow_up.limit):
                    self._ask_next(answer, answer.left.popleft())
            except NoRoomError:
                pass
            for sequence, _ in answer.cells:
                self._release(sequence)
            self._is_holding = False

    def _ask_next(self, answer: HeldAnswer, asked: TokenizedFollowUp) -> None:
        """Compute the prompt of a follow-up behind what is there of it; read the next token, or begin to write."""
        assert self._asker is not None
        begun = time.perf_counter()
        follow_up, tokens = asked.follow_up, asked.tokens
        sequence = self._free_sequences.pop()
        shared = 0
        source, known = max(answer.cells, key=lambda cells: shared_length(cells[1], tokens))
        if self._model.can_cut or shared_length(known, tokens) == len(known):
            # One token is always computed, for its logits.
            shared = shared_length(known, tokens[:-1])
        if shared:
            self._model.fork(source, sequence, shared)
        try:
            logits = self._model.prefill(sequence, tokens[shared:], shared)
        except NoRoomError:
            self._release(sequence)
            raise
        computed = len(tokens) - shared
        if not follow_up.limit:
            seconds = time.perf_counter() - begun
            said = self._asker.read(logits, asked, seconds)
            self._replies.append(FollowUpReply(answer.question_id, follow_up.kind, said, computed, seconds))
            answer.cells.append((sequence, tokens))
        else:
            request = DrawRequest(answer.question_id, follow_up.prompt, ())
            pending = _Pending(request, tokens, deque(), follow_up=follow_up, computed=computed)
            pending.seconds = time.perf_counter() - begun
            branch = _Branch(pending, sequence, -1, len(tokens), [self._new_draw(pending, GREEDY)])
            self._advance([branch], logits[None, :], np.zeros(1, np.intp))
        self.counts.asking_seconds += time.perf_counter() - begun

    def _replied(self, pending: _Pending, reply: Generation) -> None:
        assert pending.follow_up is not None
        self._is_holding = False
        tokens = pending.computed + (reply.tokens or 0)
        self._replies.append(FollowUpReply(reply.question_id, pending.follow_up.kind, reply, tokens, pending.seconds))

    def _new_draw(self, pending: _Pending, sample_index: int) -> _Draw:
        is_greedy = sample_index == GREEDY
        limit = self._decoding.greedy_max_tokens if is_greedy else self._decoding.max_tokens
        if pending.follow_up is not None:
            limit = pending.follow_up.limit
        question_id = pending.request.question_id
        uniforms = uniform_draws(self._decoding.seed, question_id, sample_index, 0 if is_greedy else limit)
        return _Draw(pending, sample_index, self._free_rows.pop(), limit, uniforms, time.perf_counter())

    # Advancing

    def _advance(
        self, branches: Sequence[_Branch], logits: Any, rows: NDArray[np.intp], *, keep_sequence: bool = False
    ) -> list[Generation]:
        """Choose the next token of every member; finish, continue or fork the branches.

        `logits` are (B, V), and `rows` (B,) says which belong to which branch. With `keep_sequence` the branches' own
        sequences stay with a waiting prompt.
        """
        draws = [draw for branch in branches for draw in branch.members]
        owners = np.repeat(rows, [len(branch.members) for branch in branches])
        chosen = self._choose_and_record(draws, owners, logits)
        finished: list[Generation] = []
        next_token = iter(chosen)
        for branch in branches:
            groups: dict[int, list[_Draw]] = {}
            for draw in branch.members:
                token = next(next_token)
                generation = self._take(draw, token)
                if generation is None:
                    groups.setdefault(token, []).append(draw)
                elif draw.pending.follow_up is not None:
                    self._replied(draw.pending, generation)
                else:
                    finished.append(generation)
                    if self._asker is not None and draw.sample_index == GREEDY:
                        self._hold(branch, generation)
            self._continue(branch, groups, keep_sequence=keep_sequence)
        return finished

    def _choose_and_record(self, draws: Sequence[_Draw], owners: NDArray[np.intp], logits: Any) -> list[int]:
        """Choose a token for each draw and write its statistics into the tables."""
        distribution = self._sampler.distribution(logits)
        is_greedy = np.fromiter(
            (draw.sample_index == GREEDY or self._decoding.temperature == 0.0 for draw in draws), bool, len(draws)
        )
        chosen = np.empty(len(draws), np.intp)
        if is_greedy.any():
            chosen[is_greedy] = distribution.greedy_tokens(owners[is_greedy])
        if not is_greedy.all():
            uniforms = np.array(
                [d.uniforms[d.length] for d, greedy in zip(draws, is_greedy, strict=True) if not greedy]
            )
            chosen[~is_greedy] = distribution.sampled_tokens(owners[~is_greedy], uniforms)
        rows = np.fromiter((draw.row for draw in draws), np.intp, len(draws))
        steps = np.fromiter((draw.length for draw in draws), np.intp, len(draws))
        self._tokens[rows, steps] = chosen
        self._entropies[rows, steps] = distribution.entropies[owners]
        self._logprobs[rows, steps] = distribution.logprobs(owners, chosen)
        self._logits[rows, steps] = distribution.logits(owners, chosen)
        return chosen.tolist()

    def _take(self, draw: _Draw, token: int) -> Generation | None:
        """Append `token` to `draw`; return the finished generation where it ends."""
        if self._model.ends(token):
            return self._finish(draw, "stop")
        draw.pieces.append(self._model.piece(token))
        draw.length += 1
        self.counts.tokens += draw.pending.follow_up is None
        if draw.pending.request.prompt.stop:
            # A stop string may be spread over several pieces, so all of the text is looked through.
            text = b"".join(draw.pieces)
            # What a chat model puts before its reply ends nothing.
            begin = len(text) - len(text.lstrip()) if draw.pending.request.prompt.mode == "chat" else 0
            stops = [text.find(stop.encode(), begin) for stop in draw.pending.request.prompt.stop]
            found = [at for at in stops if at >= 0]
            if found:
                self._cut(draw, min(found))
                return self._finish(draw, "stop")
        return self._finish(draw, "length") if draw.length >= draw.limit else None

    def _cut(self, draw: _Draw, end: int) -> None:
        """Drop the text behind its first `end` bytes, and the tokens that wrote nothing before them."""
        kept: list[bytes] = []
        for piece in draw.pieces:
            if end <= 0:
                break
            kept.append(piece[:end])
            end -= len(piece)
        if draw.pending.follow_up is None:
            self.counts.tokens -= draw.length - len(kept)
        draw.pieces, draw.length = kept, len(kept)

    def _continue(self, branch: _Branch, groups: dict[int, list[_Draw]], *, keep_sequence: bool) -> None:
        """Give every group of equal tokens a branch; the last takes over the sequence unless it is kept."""
        for number, members in enumerate(groups.values()):
            is_last = number == len(groups) - 1
            sequence = branch.sequence
            if keep_sequence or not is_last:
                sequence = self._free_sequences.pop()
                self._model.fork(branch.sequence, sequence)
            token = int(self._tokens[members[0].row, members[0].length - 1])
            self._branches.append(_Branch(branch.pending, sequence, token, branch.position, members))
        if not groups and not keep_sequence:
            self._release(branch.sequence)

    def _finish(self, draw: _Draw, finish_reason: str) -> Generation:
        """Free the draw's row and return its record."""
        row, length = draw.row, draw.length
        self._free_rows.append(row)
        prompt = draw.pending.request.prompt
        text = decoded_answer(draw.pieces, is_cut=finish_reason == "length")
        parsed = split_thinking(text, self._prompting, prompt.starts_in_thinking, prompt.families)
        mask = answer_mask(draw.pieces, parsed.start, parsed.stop)
        return Generation(
            question_id=draw.pending.request.question_id,
            sample_index=draw.sample_index,
            text=text,
            answer=parsed.answer,
            state=parsed.state,
            finish_reason=finish_reason,
            tokens=length,
            statistics=TokenStatistics(
                token_ids=self._tokens[row, :length].copy(),
                entropies=self._entropies[row, :length].copy(),
                logprobs=self._logprobs[row, :length].copy(),
                logits=self._logits[row, :length].copy(),
                answer_mask=None if mask.all() else mask,
            ),
            seconds=time.perf_counter() - draw.started,
        )

    # Running out of room

    def _release(self, sequence: int) -> None:
        self._model.free(sequence)
        self._free_sequences.append(sequence)

    def _no_room_for_prompt(self, pending: _Pending, error: NoRoomError) -> None:
        """Wait for a slot to free its cells; with none in use the prompt can never fit."""
        if isinstance(error, DeviceMemoryError):
            if not self.live:
                raise _no_memory()
            self._limit_slots(self.live)
        elif not self._branches:
            raise ContextTooShortError(
                f"the prompt of question `{pending.request.question_id}` does not fit the context",
                "shorten `--system`, or leave the question out",
            )
        self._is_holding = True

    def _halve_live(self) -> None:
        """Draw half as many answers as are live now from here on, and give the rest back."""
        if self.live <= 1:
            raise _no_memory()
        limit = self.live // 2
        while self.live > limit:
            self._requeue_newest()
        self._limit_slots(limit)

    def _limit_slots(self, limit: int) -> None:
        """Draw at most `limit` answers at a time from here on, as many as are live or more."""
        surplus = max(0, self._slots - limit)
        self._slots -= surplus
        del self._free_rows[:surplus]

    def _requeue_newest(self) -> None:
        """Give back the draws of the newest question; a redrawn sample keeps its random numbers.

        A reply is given up: its question is asked another time.
        """
        newest = self._branches[-1].pending
        kept = [branch for branch in self._branches if branch.pending is not newest]
        dropped = [branch for branch in self._branches if branch.pending is newest]
        self._branches = kept
        indexes = list(newest.waiting)
        for branch in dropped:
            self._release(branch.sequence)
            for draw in branch.members:
                self._free_rows.append(draw.row)
                indexes.append(draw.sample_index)
        if newest.follow_up is not None:
            self._is_holding = bool(kept)
            return
        if newest.root is not None:
            self._release(newest.root)
            newest.root = newest.root_logits = None
        if not kept:
            self._halve_slots(newest, sum(len(branch.members) for branch in dropped))
        newest.waiting = deque(sorted(indexes))
        if newest not in self._queue:
            self._queue.appendleft(newest)
        self._is_holding = bool(kept)

    def _halve_slots(self, pending: _Pending, members: int) -> None:
        """Draw fewer answers at a time, because one question alone fills the cache; every row is free here."""
        if members == 1:
            raise ContextTooShortError(
                f"an answer to question `{pending.request.question_id}` does not fit the context",
                "lower `--max-tokens`",
            )
        self._slots = max(1, members // 2)
        del self._free_rows[: len(self._free_rows) - self._slots]


def _no_memory() -> ModelError:
    return ModelError(
        "the device has no memory for a single answer",
        "close what else uses it, lower `--max-tokens`, or choose a smaller model",
    )
