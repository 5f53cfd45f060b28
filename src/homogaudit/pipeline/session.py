"""One session of work on a run file: what is still to draw, to ask and to score, in that order, as events."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from homogaudit.clustering.embedders import Embedder
from homogaudit.clustering.entailment import EntailmentModel
from homogaudit.clustering.meanings import expected_open, most_pairs
from homogaudit.errors import HomogauditError
from homogaudit.events import (
    Asking,
    Cancelling,
    EngineReady,
    Event,
    GenerationFailed,
    GenerationFinished,
    Job,
    JobEmbedder,
    JobJudge,
    JobModel,
    JobNli,
    Loading,
    Paused,
    Planned,
    Progress,
    QuestionStarted,
    Resumed,
    RunFinished,
    Snapshot,
    TextDelta,
    Warning,
)
from homogaudit.generation import DrawRequest, FollowUps, Generator
from homogaudit.generation.generator import Drawing, GeneratorFacts
from homogaudit.phases import Phase, PhaseClock, added
from homogaudit.pipeline.calls import ask_p_true, ask_verbalized, follow_up_call, follow_ups
from homogaudit.pipeline.comparing import ask_same
from homogaudit.pipeline.diversity import store_diversity
from homogaudit.pipeline.first_looks import FirstLooks
from homogaudit.pipeline.judging import JUDGE_PROMPTING, ask_judge
from homogaudit.pipeline.provenance import drawing_facts, judging_facts, machine_facts
from homogaudit.pipeline.scoring import Scorer
from homogaudit.pipeline.thinking_states import Settlement, ThinkingStates
from homogaudit.pipeline.time_left import TimeLeft
from homogaudit.questions.thinking_families import ThinkingChoice
from homogaudit.records import (
    GREEDY,
    Decoding,
    Generation,
    GenerationState,
    ModelCall,
    Prompting,
    ResourceCost,
    SampleSet,
)
from homogaudit.report.deciding import DecisionCounter
from homogaudit.signals.calls import P_TRUE_FOLLOW_UP
from homogaudit.signals.registry import calls_for
from homogaudit.store import RunFile, RunState
from homogaudit.store.database import chunks
from homogaudit.store.facts import ThinkingFacts

_PROGRESS_SECONDS = 0.1
"""At most ten progress events a second: more is not seen, and each costs the reader a redraw."""

_NOTE_SECONDS = 1.0
"""How much of what an engine learns about itself while it draws may be lost in a kill."""

_ASKING_CHUNK = 1024
"""Questions whose prompts about their answers are made at once for a server; a local engine sizes its cache by all."""

_SCORING_CHUNK = 128
"""Questions embedded in one call where answers are stored already: an embedder is fastest on full batches of texts of
one length, which it forms of what it is given. More gain little, and delay what is told of the first."""


_COMPARED_CHUNK = 16
"""Pairs of answers that a model of meaning is asked about in one call at least. The beginning of its prompts is
computed for each call, so questions of few pairs share one; those of many keep what their prompts have in common."""

_JUDGED_CHUNK = 512
"""Answers whose judging is prepared at once, so that memory does not grow with the number of questions."""


class _Pace:
    """Counts what is done of so many calls, and says when that is to be told: at once, now and then, and at the end."""

    def __init__(self, total: int) -> None:
        self.done = 0
        self.total = total
        self._last = 0.0

    def is_due(self) -> bool:
        now = time.perf_counter()
        if self.done != self.total and now - self._last < _PROGRESS_SECONDS:
            return False
        self._last = now
        return True


class Control(Protocol):
    """What the owner of an audit wants of it; asked between steps."""

    @property
    def is_cancelled(self) -> bool:
        """Whether to stop after the current step."""
        ...

    @property
    def is_paused(self) -> bool:
        """Whether to stand still."""
        ...

    def wait_while_paused(self) -> None:
        """Return when the pause or the audit is over."""
        ...

    def take_snapshot_request(self) -> bool:
        """Whether a snapshot was asked for since the last call."""
        ...


class Audit:
    """One session of work on a run file.

    This process holds the lock of the run, which is open for writing. The generator is made from the model, the
    prompting and the run's date, and put back once it has drawn: closed, if nobody else needs it.
    """

    def __init__(
        self,
        run: RunFile,
        job: Job,
        control: Control,
        *,
        load_generator: Callable[[JobModel, Prompting, datetime], Generator],
        load_embedder: Callable[[JobEmbedder], Embedder],
        load_nli: Callable[[JobNli], EntailmentModel] | None = None,
        put_back: Callable[[Generator], None] = lambda generator: generator.close(),
        clock: PhaseClock | None = None,
    ) -> None:
        self._run = run
        self._clock = clock or PhaseClock()
        self._phases_before = run.phases
        self._job = job
        self._control = control
        self._load_generator = load_generator
        self._put_back = put_back
        self._questions = run.questions()
        self._expected_samples = run.expected_samples()
        self._stored = 0
        self._remaining: dict[str, int] = {}
        self._scorer = Scorer(run, job, self._questions, load_embedder, load_nli, self._clock)
        self._states = ThinkingStates(run)
        rule, rate_rule = run.stopping_rule, run.rate_rule
        self._kept: tuple[str, ...] | None = None
        self._looks: FirstLooks | None = None
        if rate_rule is not None:
            self._looks = self._scorer.looks = FirstLooks(run, rate_rule, [x.id for x in self._questions])
            # What else is asked of models is read of the questions that are drawn to the end alone.
            self._scorer.kept = [x.id for x in self._questions if x.id in self._looks.audited]
        self._decision = None if rule is None else DecisionCounter(rule, len(self._questions))
        self._told: set[str] = set()
        self._has_told_of_cuts = False
        self._progress: Progress | None = None
        self._drawing: Drawing | None = None
        self._texts: dict[tuple[str, int], str] = {}
        self._known_tokens: set[int] = set(run.token_pieces())
        self._drawn = 0
        self._warned = 0
        self._noted = 0.0
        self._session: int | None = None
        self._session_facts: Mapping[str, Any] = {}
        self._begun = self._session_begun = time.perf_counter()

    def events(self) -> Iterator[Event]:
        """Do the job, yielding what happens.

        Raises:
            HomogauditError: The model, the embedder or the run file failed; what was finished is stored.
        """
        try:
            yield from self._work()
        except HomogauditError:
            with contextlib.suppress(HomogauditError):
                self._note_phases()
            raise
        phases = self._note_phases()
        yield RunFinished(self._run.status, self._drawn, time.perf_counter() - self._begun, phases)

    def _work(self) -> Iterator[Event]:
        self._want_calls()
        # Told once all is drawn: what a part of the answers says may change.
        self._settle_states()
        if self._decision is not None:
            for event in self._scorer.scored_before():
                self._decision.take(event)
            self._keep_decided()
        if self._looks is not None and self._job.model is not None:
            yield from self._look_at_stored(self._looks)
        missing = self._missing_draws()
        yield self._plan(missing)
        # Before anything is noted: a run is not spoilt by an embedder that does not load.
        if not self._job.machine.defer_embedding and (missing or self._waiting()):
            yield from self._scorer.ensure_embedder()
        self._scorer.store()
        if not self._is_complete():
            self._run.status = "started"
        if (model := self._job.model) is not None and (missing or self._uncalled()):
            yield from self._generate(model, missing)
        yield from self._tell(self._settle_states().lines)
        if not self._control.is_cancelled:
            yield from self._score_stored()
        if not self._control.is_cancelled:
            with self._clock(Phase.JUDGING):
                yield from self._compare()
        if not self._control.is_cancelled:
            with self._clock(Phase.JUDGING):
                yield from self._judge()
        if not self._control.is_cancelled and self._is_scored() and not self._scorer.uncompared():
            with self._clock(Phase.SIGNALS):
                store_diversity(self._run, self._scorer.key)
        if self._is_complete() and not self._control.is_cancelled:
            self._run.finish()

    def _note_phases(self) -> Mapping[str, float]:
        """Store where the time of all sessions went; return where that of this one did."""
        phases = self._clock.seconds()
        self._run.phases = added(self._phases_before, phases)
        return phases

    def _plan(self, missing: Mapping[str, Sequence[int]]) -> Planned:
        """Say what is left to do; what cannot be known before it is drawn counts as if every answer were valid."""
        calls = judgements = 0
        if self._job.model is not None:
            # A model on this machine is asked about new answers while it draws, which is no work of its own.
            calls = sum(map(len, self._uncalled().values()))
            if self._job.model.kind == "server":
                calls += len(self._run.wanted_calls) * sum(GREEDY in indexes for indexes in missing.values())
        if self._job.scoring.judge_source is not None:
            drawn = sum(bool(x.answers or x.incorrect_answers) for x in self._questions if x.id in missing)
            judgements = drawn + len(self._scorer.unjudged())
        later = len(missing) if self._job.machine.defer_embedding else 0
        return Planned(
            self._to_draw(missing),
            calls,
            len(self._waiting()) + later,
            judgements,
            self._comparisons(len(missing)),
            is_most=self._decision is not None and bool(missing),
        )

    def _comparisons(self, missing: int = 0) -> int:
        """Return about how many pairs a model of meaning is still to be asked about, some questions not being drawn."""
        if self._job.scoring.meaning_source is None:
            return 0
        known = sum(map(len, self._scorer.uncompared().values()))
        return known + expected_open((len(self._waiting()) + missing) * most_pairs(self._expected_samples))

    # Drawing

    def _missing_draws(self) -> dict[str, tuple[int, ...]]:
        """Return the sample indexes still to draw, by question in the order of the file; none without a model."""
        if self._job.model is None or self._is_decided:
            return {}
        wanted = (GREEDY, *range(self._expected_samples))
        looks = self._looks
        missing = {x.id: wanted if looks is None else looks.wanted(x.id)[0] for x in self._questions}
        begun = [key for key, count in self._run.draw_counts().items() if count.samples or count.greedy]
        for question_id, stored in self._run.sample_indexes(begun):
            missing[question_id] = tuple(index for index in missing[question_id] if index not in stored)
            if not missing[question_id]:
                del missing[question_id]
        return missing

    def _to_draw(self, missing: Mapping[str, Sequence[int]]) -> int:
        """Return how many answers are missing; of a run for the rate alone about as many."""
        more = self._looks.expected if self._looks is not None and missing else 0
        return sum(map(len, missing.values())) + more

    @property
    def _draws(self) -> int:
        """How many answers the run is made of; of one for the rate alone about as many."""
        whole = len(self._questions) * (self._expected_samples + 1)
        return whole if self._looks is None else whole - self._looks.saved

    def _generate(self, model: JobModel, missing: Mapping[str, tuple[int, ...]]) -> Iterator[Event]:
        parameters = self._run.parameters
        decoding = Decoding(**parameters["decoding"])
        self._remaining = {question_id: len(indexes) for question_id, indexes in missing.items()}
        self._stored = self._draws - self._to_draw(missing)
        yield Loading("model", self._run.model)
        created = datetime.fromisoformat(self._run.created)
        replies = 0
        with self._clock(Phase.LOADING):
            generator = self._load_generator(model, Prompting(**parameters["prompting"]), created)
        try:
            yield from self._note_thinking(generator)
            self._note_how_asked(generator)
            if missing:
                # Questions that are done go along without a draw: the prefix that all prompts share must not depend
                # on which of them are left, or a resumed run would not repeat an uninterrupted one.
                # Prompts are rendered when their turn comes: a server takes them one by one.
                requests = (
                    DrawRequest(x.id, generator.prompt(x.asked, x.system), missing.get(x.id, ()), self._later(x.id))
                    for x in self._questions
                )
                yield Loading("context", self._run.model)
                with self._clock(Phase.LOADING):
                    asked = self._follow_ups(generator, decoding)
                    self._drawing = generator.draw(requests, decoding, asked)
                if asked is not None:
                    replies = len(self._run.wanted_calls) * sum(GREEDY in x for x in missing.values())
                self._run.chat_template = getattr(generator, "chat_template", None)
            self._begin_session("generate", drawing_facts(generator, self._drawing))
            yield self._ready(generator, decoding, missing)
            yield from self._new_warnings(generator)
            yield from self._scorer.scored_before()
            drawn = self._drawing
            try:
                yield from self._score_before_drawing()
                if self._drawing is not None:
                    try:
                        yield from self._draw(generator, self._drawing, TimeLeft(decoding, len(missing), replies))
                    finally:
                        # As it drew the answers: what is asked next may take other slots and another context.
                        self._session_facts = drawing_facts(generator, drawn)
                    self._keep_decided()
                if self._is_decided:
                    # What is drawn no further leaves the forecast too, and its cache is free for the calls.
                    self._drawing = None
                    yield Planned()
                if not self._control.is_cancelled:
                    self._settle_states()
                    with self._clock(Phase.ASKING):
                        yield from self._ask(generator, decoding, is_server=model.kind == "server")
            finally:
                if drawn is None:
                    self._session_facts = drawing_facts(generator, None)
                self._end_session()
        finally:
            self._drawing = None
            self._put_back(generator)

    def _later(self, question_id: str) -> tuple[int, ...]:
        """Return the samples of a question that are drawn only if its first ones do not lie apart."""
        return () if self._looks is None else self._looks.wanted(question_id)[1]

    def _look_at_stored(self, looks: FirstLooks) -> Iterator[Event]:
        """Look at the questions whose first answers an earlier session has drawn and not looked at."""
        wanted = {x.id: looks.wanted(x.id)[0] for x in self._questions if looks.is_open(x.id)}
        wanted |= {x.id: tuple(range(looks.first)) for x in self._questions if looks.is_due(x.id)}
        waiting = [x for x, stored in self._run.sample_indexes(wanted) if stored >= set(wanted[x])]
        if waiting:
            yield from self._scorer.ensure_embedder()
        for part in chunks(waiting, _SCORING_CHUNK):
            for sample_set in self._run.sample_sets(part):
                self._look(looks, sample_set)

    def _look(self, looks: FirstLooks, sample_set: SampleSet) -> bool:
        """Look at the first samples of a question where nobody has yet, and return whether it stops there."""
        question_id = sample_set.question.id
        short = looks.of_first(sample_set)
        if short is not None:
            looks.note(question_id, is_apart=self._scorer.is_apart(short))
        return question_id in looks.stopped

    def _look_at_audited(self, looks: FirstLooks, question_id: str) -> None:
        """Look at a question that is drawn to the end as soon as its first samples are there."""
        for _, stored in self._run.sample_indexes([question_id]):
            if stored >= set(range(looks.first)):
                self._look(looks, *self._run.sample_sets([question_id], token_arrays=False))

    def _ready(self, generator: Generator, decoding: Decoding, missing: Mapping[str, tuple[int, ...]]) -> EngineReady:
        facts = generator.facts
        passes = sum(
            decoding.greedy_max_tokens if index == GREEDY else decoding.max_tokens
            for question_id, indexes in missing.items()
            for index in (*indexes, *self._later(question_id))
        )
        seconds = None if facts.seconds_per_step is None else passes / max(1, facts.slots) * facts.seconds_per_step
        return EngineReady(
            device=facts.device,
            slots=facts.slots,
            context=facts.context,
            memory_bytes=facts.memory_bytes,
            mode=facts.mode,
            questions=len(self._questions),
            draws=self._draws,
            draws_done=self._stored,
            passes_at_most=passes,
            seconds_at_most=seconds,
            details=facts.details,
            cpu_seconds=time.process_time(),
            serial_tokens_per_second=1 / facts.seconds_per_single_step if facts.seconds_per_single_step else None,
        )

    def _draw(self, generator: Generator, drawing: Drawing, time_left: TimeLeft) -> Iterator[Event]:
        by_id = {question.id: question for question in self._questions}
        begun = self._worked()
        last_progress = 0.0
        while not drawing.is_done and not self._is_decided:
            yield from self._obey(drawing)
            if self._control.is_cancelled:
                return
            finished = self._step(drawing)
            yield from self._new_warnings(generator)
            for question_id in drawing.take_started():
                time_left.started += 1
                yield QuestionStarted(question_id, by_id[question_id].text)
            for generation in finished:
                time_left.add(generation)
                yield from self._store(generator, drawing, generation)
            for reply in drawing.take_replies():
                time_left.replies += 1
                call = follow_up_call(reply)
                if call is not None:
                    (sample_set,) = self._run.sample_sets([call.question_id], token_arrays=False, samples=False)
                    self._store_call(call, sample_set)
            now = time.perf_counter()
            if now - last_progress >= _PROGRESS_SECONDS or drawing.is_done:
                last_progress = now
                self._progress = self._measure(generator.facts, drawing, time_left, self._worked() - begun)
                yield self._progress

    def _step(self, drawing: Drawing) -> list[Generation]:
        counts = drawing.counts
        prompts, model, asking = counts.prompt_seconds, counts.model_seconds, counts.asking_seconds
        with self._clock(Phase.HOST):
            finished = drawing.step()
            prompts, model = counts.prompt_seconds - prompts, counts.model_seconds - model
            self._clock.move(prompts, Phase.PREFILL)
            self._clock.move(model - prompts, Phase.DECODE)
            self._clock.move(counts.asking_seconds - asking, Phase.ASKING)
        return finished

    def _store(self, generator: Generator, drawing: Drawing, generation: Generation) -> Iterator[Event]:
        """Commit one draw before anybody hears of it, and score its question when it was the last."""
        with self._clock(Phase.STORING):
            generation = self._states.read(generation)
            ids = generation.statistics.token_ids
            new = set() if ids is None else set(ids.tolist()) - self._known_tokens
            pieces = generator.token_pieces(new)
            self._run.add_generation(generation, self._session, self._session_seconds(), pieces)
            self._known_tokens |= new
        self._drawn += 1
        if self._looks is not None and self._looks.is_due(generation.question_id):
            self._look_at_audited(self._looks, generation.question_id)
        if generation.state is GenerationState.ERROR:
            yield GenerationFailed(generation.question_id, generation.sample_index, generation.text)
        else:
            yield GenerationFinished(
                generation.question_id,
                generation.sample_index,
                generation.answer,
                generation.state.value,
                generation.finish_reason,
                generation.tokens,
                generation.seconds,
            )
        self._remaining[generation.question_id] -= 1
        if not self._remaining[generation.question_id]:
            if self._looks is not None and self._goes_on(self._looks, drawing, generation.question_id):
                return
            with self._clock(Phase.STORING):
                self._store_costs(generation.question_id, drawing)
                self._note_details(generator)
            if self._scorer.is_ready or not self._has_told_of_cuts:
                with self._clock(Phase.STORING):
                    (sample_set,) = self._run.sample_sets([generation.question_id])
                if self._scorer.is_ready:
                    yield from self._score_now(sample_set)
                yield from self._tell_of_cuts(sample_set)
            if self._states.is_due:
                yield from self._score_anew(self._settle_states().changed)

    def _goes_on(self, looks: FirstLooks, drawing: Drawing, question_id: str) -> bool:
        """Have the rest of a question drawn where its first answers, which are there, do not lie apart."""
        if not looks.is_open(question_id):
            return False
        (sample_set,) = self._run.sample_sets([question_id], token_arrays=False)
        later = self._later(question_id)
        if self._look(looks, sample_set):
            return False
        self._remaining[question_id] = len(later)
        drawing.draw_later(question_id)
        return True

    # What is thinking and what is the answer

    def _note_thinking(self, generator: Generator) -> Iterator[Event]:
        """Store how the model's thinking is read, and say it with what told."""
        choice: ThinkingChoice | None = getattr(generator, "thinking", None)
        if choice is None or self._states.is_open:
            return
        warnings = (choice.line,) if choice.unknown else ()
        self._run.thinking = ThinkingFacts(choice.families, choice.reason, warnings=warnings)
        yield from self._tell([choice.line] if choice.line else [])

    def _settle_states(self) -> Settlement:
        """Decide from all stored texts which answers are thoughts; see `ThinkingStates`."""
        settlement = self._states.settle()
        self._scorer.forget(settlement.changed)
        return settlement

    def _score_anew(self, question_ids: Sequence[str]) -> Iterator[Event]:
        """Score finished questions again whose answers are read otherwise now."""
        finished = self._finished_questions()
        for sample_set in self._run.sample_sets([x for x in question_ids if x in finished]):
            if self._scorer.is_ready:
                yield from self._score_now(sample_set)

    # Whether the run is decided before its whole file is drawn

    @property
    def _is_decided(self) -> bool:
        return self._decision is not None and self._decision.is_decided

    def _keep_decided(self) -> None:
        """Leave out of what follows all questions behind the first unfinished one, where the run is decided."""
        if self._is_decided:
            self._kept = self._scorer.kept = self._run.finished_in_order(self._scorer.key)

    def _score_now(self, sample_set: SampleSet) -> Iterator[Event]:
        """Score a question, and say what the questions leave open where it is to be decided."""
        scored = self._scorer.score(sample_set)
        yield scored
        if self._decision is not None:
            counted = self._decision.questions
            self._decision.take(scored)
            if self._decision.questions != counted:
                yield self._decision.told()

    def _score_before_drawing(self) -> Iterator[Event]:
        """Score what an earlier session has drawn and not scored where it may decide the run."""
        if self._decision is None:
            return
        for part in chunks(self._waiting(), _SCORING_CHUNK):
            for sample_set in self._run.sample_sets(part):
                yield from self._score_now(sample_set)

    def _tell(self, lines: Sequence[str]) -> Iterator[Event]:
        """Pass on warnings, each once."""
        for line in lines:
            if line not in self._told:
                self._told.add(line)
                yield Warning(line)

    def _tell_of_cuts(self, sample_set: SampleSet) -> Iterator[Event]:
        """Say after the first finished question what to do where the limit cuts answers inside their thinking."""
        if self._has_told_of_cuts:
            return
        self._has_told_of_cuts = True
        draws = [*([sample_set.greedy] if sample_set.greedy else []), *sample_set.samples]
        cut = [x for x in draws if x.state is GenerationState.THINKING_UNCLOSED and x.is_truncated]
        if not cut:
            return
        decoding, prompting = (self._run.parameters[name] for name in ("decoding", "prompting"))
        limit = max(decoding["max_tokens"], decoding["greedy_max_tokens"])
        less = ", or leave out `--thinking`" if prompting["thinking"] else ""
        yield Warning(
            f"{len(cut)} of {len(draws)} answers to the first finished question are cut inside their thinking: "
            f"start again with more than `--max-tokens {limit}`{less}"
        )

    def _store_costs(self, question_id: str, drawing: Drawing) -> None:
        """Note what a question's draws cost: their tokens, at the seconds that a token took in this session."""
        counts = drawing.counts
        if not counts.tokens:
            return
        tokens = zip(("greedy", "samples"), self._run.drawn_tokens(question_id), strict=True)
        a_token = (counts.seconds - counts.asking_seconds) / counts.tokens
        self._run.add_costs(ResourceCost(question_id, name, count * a_token, count) for name, count in tokens)

    def _note_details(self, generator: Generator) -> None:
        """Keep what the engine says of itself, now and then, for a session that is killed."""
        now = time.perf_counter()
        if self._session is not None and now - self._noted >= _NOTE_SECONDS:
            self._noted = now
            self._run.note_session_details(self._session, generator.facts.details)
            self._note_phases()

    def _new_warnings(self, generator: Generator) -> Iterator[Event]:
        """Pass on what the generator has warned of since the last call."""
        warnings = generator.facts.warnings
        yield from map(Warning, warnings[self._warned :])
        self._warned = len(warnings)

    def _worked(self) -> float:
        """Return the seconds of this session so far, without pauses."""
        return sum(self._clock.seconds().values())

    def _measure(self, facts: GeneratorFacts, drawing: Drawing, time_left: TimeLeft, spent: float) -> Progress:
        """Return how far the drawing is; `spent` are its seconds with what is done beside it, such as scoring."""
        counts = drawing.counts
        waiting = sum(1 for count in self._remaining.values() if count)
        done, draws = self._stored + self._drawn, self._draws
        return Progress(
            questions_done=len(self._questions) - waiting,
            questions=len(self._questions),
            draws_done=done,
            draws=draws,
            tokens=counts.tokens,
            passes=counts.passes,
            tokens_per_second=counts.tokens / counts.seconds if counts.seconds else 0.0,
            seconds=time.perf_counter() - self._begun,
            seconds_left=time_left.seconds(
                facts, drawing, draws=draws, left=draws - done, waiting=waiting, spent=spent
            ),
            slots_in_use=drawing.live,
            questions_stopped=0 if self._looks is None else len(self._looks.stopped),
            deltas=_deltas(drawing, self._texts),
        )

    def _obey(self, drawing: Drawing | None = None) -> Iterator[Event]:
        """Answer a snapshot request, stand still while paused, and say that a cancel was heard."""
        if self._control.take_snapshot_request():
            yield self._snapshot(drawing)
        if self._control.is_paused and not self._control.is_cancelled:
            yield Paused()
            while self._control.is_paused and not self._control.is_cancelled:
                with self._clock(None):
                    self._control.wait_while_paused()
                if self._control.take_snapshot_request():
                    yield self._snapshot(drawing)
            if not self._control.is_cancelled:
                yield Resumed()
        if self._control.is_cancelled:
            yield Cancelling()

    def _snapshot(self, drawing: Drawing | None) -> Snapshot:
        # No further than `Progress` has told, so that the deltas that follow begin where these texts end.
        keys = () if drawing is None else drawing.live_texts()
        live = tuple(TextDelta(*key, self._texts.get(key, "")) for key in keys)
        state = "paused" if self._control.is_paused else "scoring" if drawing is None else "generating"
        progress = self._progress and replace(self._progress, deltas=())
        return Snapshot(str(self._run.path), state, progress, live)

    # Asking the model about its answers

    def _want_calls(self) -> None:
        """Note which calls the run is to hold, so that one that was killed between them is not complete."""
        if self._job.model is not None:
            if self._run.rate_rule is not None:
                # Of the rate it says nothing, and of most questions nothing else is told.
                self._run.wanted_calls = []
                return
            self._run.wanted_calls = calls_for(self._job.scoring.signals)

    def _note_how_asked(self, generator: Generator) -> None:
        """Note whether the model is asked behind its answers, as its template can; a run goes on as it began."""
        wanted = set(self._run.wanted_calls)
        if wanted and not any(wanted.intersection(kinds) for kinds in self._run.calls().values()):
            first = self._questions[0]
            prompt = generator.follow_up_prompt(first.asked, "Yes.", P_TRUE_FOLLOW_UP, first.system)
            self._run.asks_in_conversation = prompt is not None

    def _uncalled(self) -> dict[str, list[str]]:
        """Return the questions with a valid greedy answer that the model was not asked about, by kind of call."""
        stored = self._run.calls()
        wanted = self._run.wanted_calls
        if not wanted:
            return {}
        greedy = [x.greedy for x in self._run.sample_sets(self._kept, token_arrays=False, samples=False)]
        answered = [x.question_id for x in greedy if x is not None and x.is_valid]
        missing = {kind: [x for x in answered if kind not in stored.get(x, {})] for kind in wanted}
        return {kind: found for kind, found in missing.items() if found}

    def _follow_ups(self, generator: Generator, decoding: Decoding) -> FollowUps | None:
        """Return what is asked about each greedy answer while the others are drawn."""
        wanted = self._run.wanted_calls
        if not wanted:
            return None
        is_new = self._run.asks_in_conversation
        return follow_ups(generator, self._questions, wanted, decoding, in_conversation=is_new)

    def _ask(self, generator: Generator, decoding: Decoding, *, is_server: bool) -> Iterator[Event]:
        uncalled = self._uncalled()
        begins, goes_on = self._states.begins_in_prompt, self._run.asks_in_conversation
        pace = _Pace(sum(map(len, uncalled.values())))
        if pace.total:
            judgements = len(self._scorer.unjudged())
            yield Planned(0, pace.total, len(self._waiting()), judgements, self._comparisons())
        size = _ASKING_CHUNK if is_server else max(1, pace.total)
        for kind, question_ids in ((kind, part) for kind, found in uncalled.items() for part in chunks(found, size)):
            sample_sets = list(self._run.sample_sets(question_ids, token_arrays=False, samples=False))
            by_id = {x.question.id: x for x in sample_sets}
            replies: Iterator[ModelCall | None] = (
                ask_p_true(generator, sample_sets, in_conversation=goes_on, begins_in_thinking=begins)
                if kind == "p_true"
                else ask_verbalized(
                    generator, sample_sets, decoding, in_conversation=goes_on, begins_in_thinking=begins
                )
            )
            for call in replies:
                yield from self._new_warnings(generator)
                if call is not None:
                    self._store_call(call, by_id[call.question_id])
                    pace.done += 1
                if pace.is_due():
                    yield Asking(pace.done, pace.total)
                yield from self._obey()
                if self._control.is_cancelled:
                    return

    def _store_call(self, call: ModelCall, sample_set: SampleSet) -> None:
        with self._run.transaction():
            self._run.add_calls([call])
            cost = ResourceCost(call.question_id, f"call_{call.kind}", call.seconds, call.tokens)
            self._run.add_costs([cost])
            self._scorer.score_call(sample_set, call)

    # Scoring

    def _score_stored(self) -> Iterator[Event]:
        """Score every finished question that is not scored under this scoring yet."""
        waiting = self._waiting()
        if not waiting and not self._waits_for_run_signals():
            return
        yield from self._scorer.ensure_embedder()
        if self._session is None:
            self._begin_session("score", machine_facts())
        judgements, comparisons = len(self._scorer.unjudged()), self._comparisons()
        yield Planned(scorings=len(waiting), judgements=judgements, comparisons=comparisons)
        for part in chunks(waiting, _SCORING_CHUNK):
            with self._clock(Phase.STORING):
                sample_sets = list(self._run.sample_sets(part))
            self._scorer.embed_answers(sample_sets)
            for sample_set in sample_sets:
                yield from self._obey()
                if self._control.is_cancelled:
                    return
                yield from self._score_now(sample_set)
        self._keep_decided()
        if self._waits_for_run_signals():
            self._scorer.score_run()
        self._end_session()

    # Asking a model whether two answers say the same

    def _compare(self) -> Iterator[Event]:
        """Ask the model of `meaning` about the pairs that the embedder leaves open, then cluster their questions."""
        source, waiting = self._job.scoring.meaning_source, self._scorer.uncompared()
        if source is None or not waiting:
            return
        yield from self._scorer.ensure_embedder()
        yield Loading("judge", source.name)
        generator = self._load_other(source)
        try:
            self._begin_session("judge", judging_facts(generator))
            pace = _Pace(sum(map(len, waiting.values())))
            yield Planned(judgements=len(self._scorer.unjudged()), comparisons=pace.total)
            for part in _packed(waiting):
                sets = {x.question.id: x for x in self._run.sample_sets(part)}
                asked = [(sets[name], pair) for name in part for pair in waiting[name]]
                replies = ask_same(generator, [(x.question.text, pair) for x, pair in asked])
                for place, ((sample_set, pair), log_odds) in enumerate(zip(asked, replies, strict=True), 1):
                    yield from self._new_warnings(generator)
                    self._scorer.store_comparison(sample_set, pair, log_odds)
                    pace.done += 1
                    if pace.is_due():
                        yield Asking(pace.done, pace.total, "model of meaning")
                    if place == len(asked) or asked[place][0] is not sample_set:
                        yield self._scorer.score(sample_set)
                    yield from self._obey()
                    if self._control.is_cancelled:
                        return
        finally:
            self._end_session()
            generator.close()

    def _load_other(self, source: JobJudge) -> Generator:
        """Load a model that is asked about answers that it did not draw."""
        concurrency = self._job.model.concurrency if self._job.model else None
        model = JobModel(source.location, source.kind, source.server_model, concurrency)
        self._warned = 0
        with self._clock(Phase.LOADING):
            return self._load_generator(model, JUDGE_PROMPTING, datetime.fromisoformat(self._run.created))

    # Asking another model about the answers

    def _judge(self) -> Iterator[Event]:
        """Ask the model that judges about every answer that it has not judged; last, so that nothing waits for it."""
        judge, waiting = self._job.scoring.judge_source, self._scorer.unjudged()
        if judge is None or not waiting:
            return
        self._scorer.release()
        yield Loading("judge", judge.name)
        generator = self._load_other(judge)
        try:
            self._begin_session("judge", judging_facts(generator))
            yield Planned(judgements=len(waiting))
            pace = _Pace(len(waiting))
            for part in chunks(waiting, _JUDGED_CHUNK):
                sample_sets = list(self._run.sample_sets(part, token_arrays=False))
                by_id = {x.question.id: x for x in sample_sets}
                for judgement in ask_judge(generator, judge, sample_sets):
                    yield from self._new_warnings(generator)
                    if judgement is not None:
                        yield self._scorer.store_judgement(by_id[judgement.call.question_id], judgement)
                        pace.done += 1
                    if pace.is_due():
                        yield Asking(pace.done, pace.total, "judge")
                    yield from self._obey()
                    if self._control.is_cancelled:
                        return
        finally:
            self._end_session()
            generator.close()

    # The state of the run

    def _states_now(self) -> dict[str, RunState]:
        """Return how far each question is under this scoring; of a decided run those that enter."""
        states = self._run.question_states(self._scorer.key)
        return states if self._kept is None else {name: states[name] for name in self._kept}

    def _finished_questions(self) -> set[str]:
        """Return the questions all of whose draws are stored."""
        return {name for name, state in self._states_now().items() if state in (RunState.DRAWN, RunState.SCORED)}

    def _waiting(self) -> list[str]:
        """Return the finished questions that are not scored under this scoring, in the order of the file."""
        return [name for name, state in self._states_now().items() if state is RunState.DRAWN]

    def _waits_for_run_signals(self) -> bool:
        """Whether all questions are finished and the signals over all of them are not stored under this scoring."""
        are_finished = len(self._finished_questions()) == len(self._states_now())
        return are_finished and self._run.run_signals != self._scorer.key

    def _is_scored(self) -> bool:
        return set(self._states_now().values()) == {RunState.SCORED}

    def _is_complete(self) -> bool:
        return (
            not self._run.missing_shards
            and self._is_scored()
            and not self._uncalled()
            and not self._scorer.uncompared()
            and not self._scorer.unjudged()
            and not self._waits_for_run_signals()
        )

    def _begin_session(self, kind: str, provenance: Mapping[str, Any]) -> None:
        self._session_begun = time.perf_counter()
        self._session_facts = provenance
        self._session = self._run.begin_session(kind, os.getpid(), provenance)

    def _end_session(self) -> None:
        if self._session is not None:
            self._run.end_session(self._session, provenance=self._session_facts, seconds=self._session_seconds())

    def _session_seconds(self) -> float:
        return time.perf_counter() - self._session_begun


def _deltas(drawing: Drawing, known: dict[tuple[str, int], str]) -> tuple[TextDelta, ...]:
    """Return what the live answers gained since the last call, and remember it in `known`."""
    live = drawing.live_texts()
    deltas = tuple(
        TextDelta(*key, text[len(known.get(key, "")) :]) for key, text in live.items() if text != known.get(key)
    )
    known.clear()
    known.update(live)
    return deltas


def _packed(pairs: Mapping[str, Sequence[Any]]) -> Iterator[list[str]]:
    """Yield the questions of some pairs in groups of at least so many pairs, as far as there are any left."""
    part: list[str] = []
    held = 0
    for question_id, found in pairs.items():
        part.append(question_id)
        held += len(found)
        if held >= _COMPARED_CHUNK:
            yield part
            part, held = [], 0
    if part:
        yield part
