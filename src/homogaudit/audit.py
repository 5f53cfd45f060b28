"""The pipeline: draws what is missing, scores what is not scored, and tells what happens as events.

It composes generation, clustering, labels and signals over one run file. It knows neither processes nor screens:
whoever iterates over it decides where the events go, and pauses by asking its `Control`.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.embedders import Embedder
from homogaudit.clustering.methods import choose_methods, cluster_question
from homogaudit.events import (
    Cancelling,
    EngineReady,
    Event,
    GenerationFinished,
    Job,
    JobEmbedder,
    Loading,
    Paused,
    Progress,
    QuestionScored,
    QuestionStarted,
    Resumed,
    RunFinished,
    Snapshot,
    TextDelta,
    Warning,
)
from homogaudit.generation import DrawRequest, Generator
from homogaudit.generation.generator import Drawing
from homogaudit.labels.judges import RECORDED, label
from homogaudit.records import GREEDY, ClusteringMethod, Decoding, Generation, Label, Prompting, Question, SampleSet
from homogaudit.signals.inputs import TOKEN_ARRAY_NEEDS
from homogaudit.signals.registry import SIGNALS, RunInputs, SignalInputs, compute_run_signals, compute_signals
from homogaudit.store import RunFile

__all__ = ["Audit", "Control"]

_PROGRESS_SECONDS = 0.1
"""At most ten progress events a second: more is not seen, and each costs the reader a redraw."""

_SCORING_CHUNK = 32
"""Questions embedded in one call where answers are stored already: an embedder is fastest on full batches."""


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

    Args:
        run: Open for writing; this process holds its lock.
        job: What to do.
        control: Pause, cancel, snapshot.
        load_generator: Makes the generator from the job, the prompting and the run's date.
        load_embedder: Makes the embedder.
    """

    def __init__(
        self,
        run: RunFile,
        job: Job,
        control: Control,
        *,
        load_generator: Callable[[Job, Prompting, datetime], Generator],
        load_embedder: Callable[[JobEmbedder], Embedder],
    ) -> None:
        self._run = run
        self._job = job
        self._control = control
        self._load_generator = load_generator
        self._load_embedder = load_embedder
        self._embedder: Embedder | None = None
        self._questions = run.questions()
        self._positions = {question.id: position for position, question in enumerate(self._questions)}
        self._expected_samples = run.expected_samples()
        self._methods: tuple[ClusteringMethod, ...] = choose_methods(
            embedder=job.embedder.key if job.embedder else None,
            numeric=job.judge == "numeric",
            specifications=job.clusterings,
        )
        self._known_methods = run.clustering_methods()
        self._scoring_key = json.dumps([job.judge, *(method.key for method in self._methods)])
        self._progress: Progress | None = None
        self._drawing: Drawing | None = None
        self._texts: dict[tuple[str, int], str] = {}
        self._drawn = 0
        self._session: int | None = None
        self._session_facts: Mapping[str, Any] = {}
        self._begun = self._session_begun = time.perf_counter()

    def events(self) -> Iterator[Event]:
        """Do the job, yielding what happens.

        Raises:
            HomogauditError: The model, the embedder or the run file failed; what was finished is stored.
        """
        missing = self._missing_draws()
        # Before anything is noted: a run is not spoilt by an embedder that does not load.
        if not self._job.defer_embedding and (missing or self._waiting()):
            yield from self._ensure_embedder()
        self._store_scoring()
        if not self._is_complete():
            self._run.set_meta("status", "started")
        if missing:
            yield from self._generate(missing)
        if not self._control.is_cancelled:
            yield from self._score_stored()
        if self._is_complete() and not self._control.is_cancelled:
            self._run.finish()
        yield RunFinished(self._run.status, self._drawn, time.perf_counter() - self._begun)

    # Drawing

    def _missing_draws(self) -> dict[str, tuple[int, ...]]:
        """Return the sample indexes still to draw, by question in the order of the file; none without a model."""
        if self._job.model is None:
            return {}
        stored = self._run.generation_keys()
        wanted = [GREEDY, *range(self._expected_samples)]
        missing = {
            question.id: tuple(index for index in wanted if (question.id, index) not in stored)
            for question in self._questions
        }
        return {question_id: indexes for question_id, indexes in missing.items() if indexes}

    def _generate(self, missing: Mapping[str, tuple[int, ...]]) -> Iterator[Event]:
        parameters = self._run.parameters
        decoding = Decoding(**parameters["decoding"])
        draws = len(self._questions) * (decoding.samples + 1)
        stored = draws - sum(map(len, missing.values()))
        yield Loading("model", str(self._run.meta("model")))
        created = datetime.fromisoformat(self._run.meta("created"))
        generator = self._load_generator(self._job, Prompting(**parameters["prompting"]), created)
        try:
            # Questions that are done go along without a draw: the prefix that all prompts share must not depend on
            # which of them are left, or a resumed run would not repeat an uninterrupted one.
            requests = [DrawRequest(q.id, generator.prompt(q.text), missing.get(q.id, ())) for q in self._questions]
            yield Loading("context", str(self._run.meta("model")))
            drawing = self._drawing = generator.draw(requests, decoding)
            self._run.set_meta("chat_template", getattr(generator, "chat_template", None))
            self._begin_session("generate", self._provenance(generator))
            yield self._ready(generator, decoding, requests, stored)
            for warning in generator.facts.warnings:
                yield Warning(warning)
            yield from self._scored_before()
            try:
                remaining = {question_id: len(indexes) for question_id, indexes in missing.items()}
                yield from self._draw(drawing, decoding, remaining, stored)
            finally:
                self._session_facts = self._provenance(generator)
                self._end_session()
        finally:
            self._drawing = None
            generator.close()

    def _ready(
        self, generator: Generator, decoding: Decoding, requests: Sequence[DrawRequest], stored: int
    ) -> EngineReady:
        facts = generator.facts
        passes = sum(
            decoding.greedy_max_tokens if index == GREEDY else decoding.max_tokens
            for request in requests
            for index in request.sample_indexes
        )
        seconds = None if facts.seconds_per_step is None else passes / facts.slots * facts.seconds_per_step
        return EngineReady(
            device=facts.device,
            slots=facts.slots,
            context=facts.context,
            memory_bytes=facts.memory_bytes,
            mode=facts.mode,
            questions=len(self._questions),
            draws=len(self._questions) * (decoding.samples + 1),
            draws_done=stored,
            passes_at_most=passes,
            seconds_at_most=seconds,
            details=facts.details,
        )

    def _draw(self, drawing: Drawing, decoding: Decoding, remaining: dict[str, int], stored: int) -> Iterator[Event]:
        draws = len(self._questions) * (decoding.samples + 1)
        by_id = {question.id: question for question in self._questions}
        last_progress = 0.0
        while not drawing.is_done:
            yield from self._obey(drawing)
            if self._control.is_cancelled:
                return
            finished = drawing.step()
            for question_id in drawing.take_started():
                yield QuestionStarted(question_id, by_id[question_id].text)
            for generation in finished:
                yield from self._store(generation, remaining)
            now = time.perf_counter()
            if now - last_progress >= _PROGRESS_SECONDS or drawing.is_done:
                last_progress = now
                deltas = _deltas(drawing, self._texts)
                self._progress = self._measure(drawing, decoding, remaining, stored, draws, deltas)
                yield self._progress

    def _store(self, generation: Generation, remaining: dict[str, int]) -> Iterator[Event]:
        """Commit one draw before anybody hears of it, and score its question when it was the last."""
        self._run.add_generation(generation, self._session, self._session_seconds())
        self._drawn += 1
        yield GenerationFinished(
            generation.question_id,
            generation.sample_index,
            generation.answer,
            generation.state.value,
            generation.finish_reason,
            generation.tokens,
            generation.seconds,
        )
        remaining[generation.question_id] -= 1
        if not remaining[generation.question_id] and (self._embedder is not None or self._job.embedder is None):
            sample_sets = list(self._run.sample_sets([generation.question_id]))
            yield from self._score(sample_sets)

    def _measure(
        self,
        drawing: Drawing,
        decoding: Decoding,
        remaining: Mapping[str, int],
        stored: int,
        draws: int,
        deltas: tuple[TextDelta, ...],
    ) -> Progress:
        counts = drawing.counts
        speed = counts.tokens / counts.seconds if counts.seconds else 0.0
        left = draws - stored - self._drawn
        # What is finished first is short, so the tokens of answers still being written count for the finished ones too.
        tokens_per_answer = min(decoding.max_tokens, counts.tokens / max(1, self._drawn))
        return Progress(
            questions_done=len(self._questions) - sum(1 for count in remaining.values() if count),
            questions=len(self._questions),
            draws_done=stored + self._drawn,
            draws=draws,
            tokens=counts.tokens,
            passes=counts.passes,
            tokens_per_second=speed,
            seconds=time.perf_counter() - self._begun,
            seconds_left=left * tokens_per_answer / speed if speed else None,
            slots_in_use=drawing.live,
            deltas=deltas,
        )

    def _obey(self, drawing: Drawing | None = None) -> Iterator[Event]:
        """Answer a snapshot request, stand still while paused, and say that a cancel was heard."""
        if self._control.take_snapshot_request():
            yield self._snapshot(drawing)
        if self._control.is_paused and not self._control.is_cancelled:
            yield Paused()
            while self._control.is_paused and not self._control.is_cancelled:
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

    # Scoring

    def _store_scoring(self) -> None:
        job = self._job
        self._run.set_meta(
            "scoring",
            {
                "judge": job.judge,
                "judge_reason": job.judge_reason,
                "embedder": job.embedder.name if job.embedder else None,
                "embedder_key": job.embedder.key if job.embedder else None,
                "embedder_source": asdict(job.embedder) if job.embedder else None,
                "embedder_reason": job.embedder_reason,
                "methods": [
                    {"similarity": m.similarity, "linkage": m.linkage, "threshold": m.threshold, "embedder": m.embedder}
                    for m in self._methods
                ],
            },
        )

    def _ensure_embedder(self) -> Iterator[Event]:
        if self._embedder is None and self._job.embedder is not None:
            yield Loading("embedder", self._job.embedder.name)
            self._embedder = self._load_embedder(self._job.embedder)

    def _score_stored(self) -> Iterator[Event]:
        """Score every finished question that is not scored under this scoring yet."""
        waiting = self._waiting()
        if not waiting and not self._waits_for_run_signals():
            return
        yield from self._ensure_embedder()
        if self._session is None:
            self._begin_session("score", _machine())
        for start in range(0, len(waiting), _SCORING_CHUNK):
            sample_sets = list(self._run.sample_sets(waiting[start : start + _SCORING_CHUNK]))
            self._embed(text for sample_set in sample_sets for text in _texts(sample_set))
            for sample_set in sample_sets:
                yield from self._obey()
                if self._control.is_cancelled:
                    return
                yield from self._score([sample_set])
        self._score_run()
        self._end_session()

    def _score(self, sample_sets: Sequence[SampleSet]) -> Iterator[Event]:
        for sample_set in sample_sets:
            question = sample_set.question
            valid = sample_set.valid_samples
            vectors = self._embed(_texts(sample_set))
            sample_vectors = np.stack([vectors[s.answer] for s in valid]) if vectors and valid else None
            clusterings = {
                method.name: clustering
                for method in self._methods
                if method.embedder is None or sample_vectors is not None
                if (clustering := cluster_question(sample_set, method, sample_vectors)) is not None
            }
            greedy = sample_set.greedy
            inputs = SignalInputs(
                sample_set,
                self._expected_samples,
                clusterings,
                sample_vectors,
                vectors[greedy.answer] if vectors and greedy and greedy.is_valid else None,
            )
            verdict = self._label(question, greedy)
            with self._run.transaction():
                self._run.add_clusterings(clusterings.values())
                self._run.add_signals(compute_signals(inputs, self._signals_to_compute(sample_set)))
                if verdict is not None and self._job.judge != RECORDED:
                    self._run.add_labels([verdict])
                if not self._job.token_arrays:
                    self._run.drop_token_arrays(question.id)
                self._run.mark_scored(question.id, self._scoring_key)
            yield QuestionScored(
                question.id,
                self._positions[question.id],
                {name: clustering.clusters for name, clustering in clusterings.items()},
                len(valid),
                self._expected_samples,
                verdict.value.value if verdict else None,
            )

    def _scored_before(self) -> Iterator[QuestionScored]:
        """Yield what earlier sessions scored, so that running figures begin where they stood."""
        done = self._run.scored(self._scoring_key)
        clusterings = [(method.name, self._run.clusterings(method)) for method in self._methods]
        labels = self._run.labels(self._job.judge) if self._job.judge else {}
        for question in self._questions:
            if question.id in done:
                stored = {name: found[question.id] for name, found in clusterings if question.id in found}
                verdict = labels.get(question.id)
                yield QuestionScored(
                    question.id,
                    self._positions[question.id],
                    {name: clustering.clusters for name, clustering in stored.items()},
                    max((len(clustering.assignment) for clustering in stored.values()), default=0),
                    self._expected_samples,
                    verdict.value.value if verdict else None,
                )

    def _waits_for_run_signals(self) -> bool:
        """Whether all questions are finished and the signals over all of them are not stored under this scoring."""
        is_finished = len(self._finished_questions()) == len(self._questions)
        return is_finished and self._run.meta("run_signals") != self._scoring_key

    def _score_run(self) -> None:
        """Compute and store the signals that see all questions at once."""
        if not self._waits_for_run_signals():
            return
        texts = [question.text for question in self._questions]
        vectors = self._embed(texts)
        cutoff = (self._run.meta("model_entry") or {}).get("training_cutoff")
        greedy = (s.greedy for s in self._run.sample_sets(token_arrays=False))
        inputs = RunInputs(
            questions=self._questions,
            greedy={generation.question_id: generation for generation in greedy if generation is not None},
            question_embeddings=np.stack([vectors[text] for text in texts])
            if len(vectors) == len(set(texts))
            else None,
            cutoff=None if cutoff is None else date.fromisoformat(cutoff),
            run_date=datetime.fromisoformat(self._run.meta("created")).date(),
            embed=self._rows if self._embedder is not None else None,
        )
        values = compute_run_signals(inputs)
        with self._run.transaction():
            self._run.add_signals(values)
            self._run.set_meta("run_signals", self._scoring_key)

    def _rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts` as rows, through the run file's store."""
        vectors = self._embed(texts)
        return np.stack([vectors[text] for text in texts])

    def _signals_to_compute(self, sample_set: SampleSet) -> list[str]:
        """Return all signals but those that are stored and whose token arrays are dropped."""
        draws = [*([sample_set.greedy] if sample_set.greedy else []), *sample_set.samples]
        if self._run.meta("recorded") or all(draw.statistics.token_ids is not None for draw in draws if draw.tokens):
            return list(SIGNALS)
        # What reads token arrays and a new clustering or new embeddings has no stored value to keep: it is undefined.
        new = {f"clustering_{method.name}" for method in self._methods if method not in self._known_methods}
        if "clustering_embedding" in new or self._job.embedder is None:
            new |= {"sample_embeddings", "greedy_embedding"}
        return [
            signal.name
            for signal in SIGNALS.values()
            if TOKEN_ARRAY_NEEDS.isdisjoint(signal.needs) or not new.isdisjoint(signal.needs)
        ]

    def _label(self, question: Question, greedy: Generation | None) -> Label | None:
        if self._job.judge is None:
            return None
        if self._job.judge == RECORDED:
            return self._run.labels(RECORDED).get(question.id)
        return label(question, greedy, self._job.judge)

    def _embed(self, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of `texts` as they are stored; embed and store those that are not there."""
        if self._job.embedder is None:
            return {}
        wanted = list(dict.fromkeys(texts))
        vectors = self._run.embeddings(self._job.embedder.key, wanted)
        unknown = [text for text in wanted if text not in vectors]
        if unknown and self._embedder is not None:
            rows = self._embedder.embed(unknown)
            self._run.add_embeddings(self._job.embedder.key, dict(zip(unknown, rows, strict=True)))
            # Read back, so that a figure is the same whether its vector was just made or stored long ago.
            vectors |= self._run.embeddings(self._job.embedder.key, unknown)
        return vectors

    # The state of the run

    def _finished_questions(self) -> set[str]:
        """Return the questions all of whose draws are stored; a recorded run is finished as it came."""
        if self._run.meta("recorded"):
            return set(self._positions)
        counts: dict[str, int] = {}
        for question_id, _ in self._run.generation_keys():
            counts[question_id] = counts.get(question_id, 0) + 1
        return {question_id for question_id, count in counts.items() if count == self._expected_samples + 1}

    def _waiting(self) -> list[str]:
        """Return the finished questions that are not scored under this scoring, in the order of the file."""
        done = self._run.scored(self._scoring_key)
        finished = self._finished_questions()
        return [question.id for question in self._questions if question.id in finished and question.id not in done]

    def _is_complete(self) -> bool:
        everything = set(self._positions)
        return (
            self._finished_questions() == everything
            and self._run.scored(self._scoring_key) == everything
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

    def _provenance(self, generator: Generator) -> dict[str, Any]:
        facts = generator.facts
        counts = self._drawing.counts if self._drawing else None
        return _machine() | {
            "device": facts.device,
            "slots": facts.slots,
            "context": facts.context,
            "mode": facts.mode,
            "details": dict(facts.details),
            "passes": counts.passes if counts else 0,
            "tokens": counts.tokens if counts else 0,
            "prompt_tokens": counts.prompt_tokens if counts else 0,
        }


def _machine() -> dict[str, Any]:
    """Return what every session stores of where it ran."""
    return {"versions": _versions(), "platform": platform.platform()}


def _versions() -> dict[str, str]:
    """Return the versions of what figures can depend on, where it is installed."""
    versions = {"python": platform.python_version()}
    for name in ("homogaudit", "llama-cpp-python", "numpy", "scikit-learn", "sentence-transformers", "torch"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def _texts(sample_set: SampleSet) -> list[str]:
    """Return the answers of one question that are embedded: nothing where there is nothing to compare."""
    valid = sample_set.valid_samples
    if not valid:
        return []
    greedy = sample_set.greedy
    return [sample.answer for sample in valid] + ([greedy.answer] if greedy and greedy.is_valid else [])


def _deltas(drawing: Drawing, known: dict[tuple[str, int], str]) -> tuple[TextDelta, ...]:
    """Return what the live answers gained since the last call, and remember it in `known`."""
    live = drawing.live_texts()
    deltas = tuple(
        TextDelta(*key, text[len(known.get(key, "")) :]) for key, text in live.items() if text != known.get(key)
    )
    known.clear()
    known.update(live)
    return deltas
