"""Scores finished questions: embeddings, clusterings, labels and signals, with what each cost.

It reads draws and calls from the run file and never draws.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.embedders import Embedder
from homogaudit.clustering.entailment import EntailmentModel, PairScores, with_question
from homogaudit.clustering.meanings import Meanings
from homogaudit.clustering.methods import cluster_question, methods_of, primary_of
from homogaudit.events import Event, Job, JobEmbedder, JobNli, Loading, QuestionScored
from homogaudit.generation.token_texts import answer_token_texts
from homogaudit.labels.judges import JUDGES, NEAREST, RECORDED, label, nothing_to_judge
from homogaudit.phases import Phase, PhaseClock
from homogaudit.pipeline.first_looks import FirstLooks
from homogaudit.pipeline.judging import Judgement
from homogaudit.questions import load_questions
from homogaudit.records import (
    Clustering,
    ClusteringMethod,
    Generation,
    Label,
    ModelCall,
    Question,
    ResourceCost,
    SampleSet,
    SignalValue,
)
from homogaudit.signals.importance import leave_one_out_importance
from homogaudit.signals.inputs import TOKEN_ARRAY_NEEDS, Unavailable
from homogaudit.signals.registry import SIGNALS, RunInputs, SignalInputs, compute_run_signals, compute_signals
from homogaudit.signals.run_inputs import ReferencePool
from homogaudit.store import RunFile, RunState
from homogaudit.store.database import chunks
from homogaudit.store.facts import EmbedderUsed, JudgeUsed

_QUESTIONS_AT_ONCE = 4096
"""Embedded by one call and stored: of 100,000 the vectors alone are 150 MB, and a kill would lose all of them."""


class Scorer:
    """Scores questions of one run under one scoring: a judge, an embedder, clusterings and signals.

    Attributes:
        kept: The questions about which models are still to be asked; `None` for all.
        looks: Of a run for the rate alone: which questions stop after their first samples, and for which alone signals
            are computed; `None` for another run.
    """

    def __init__(
        self,
        run: RunFile,
        job: Job,
        questions: Sequence[Question],
        load_embedder: Callable[[JobEmbedder], Embedder],
        load_nli: Callable[[JobNli], EntailmentModel] | None = None,
        clock: PhaseClock | None = None,
    ) -> None:
        self._run = run
        self._clock = clock or PhaseClock()
        self._keeps_arrays = job.machine.token_arrays
        self._questions = questions
        self._load_embedder = load_embedder
        self._embedder: Embedder | None = None
        self._load_nli = load_nli
        self._nli: EntailmentModel | None = None
        self._nli_seconds = 0.0
        self._positions = {question.id: position for position, question in enumerate(questions)}
        self._expected_samples = run.expected_samples()
        self._methods = job.scoring.methods or methods_of(job.scoring)
        self._scoring = scoring = replace(job.scoring, methods=self._methods)
        self._meanings = Meanings(run, scoring)
        self.key = scoring.key
        self._known_methods = run.clustering_methods()
        self._signals = scoring.signals or tuple(SIGNALS)
        self._calls = run.calls()
        self._given_labels = self._stored_labels()
        self._clusterings: dict[str, dict[str, Clustering]] = {}
        self.kept: Sequence[str] | None = None
        self.looks: FirstLooks | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a question can be scored now: embedder and NLI model are loaded, or none is wanted."""
        source = self._scoring.embedder_source
        return (self._embedder is not None or source is None or not source.location) and (
            self._nli is not None or self._scoring.nli_source is None
        )

    def store(self) -> None:
        """Store the scoring itself, and forget the signals that it does not name."""
        scoring = self._run.scoring = self._scoring
        if (embedder := scoring.embedder_source) is not None:
            used = EmbedderUsed(embedder.name, embedder.calibrated_threshold)
            self._run.embedders = {**self._run.embedders, embedder.key: used}
        if (judge := scoring.judge_source) is not None:
            used = JudgeUsed(judge.name, judge.kind, judge.fingerprint, judge.prompt_sha256, judge.seed)
            self._run.judge_models = {**self._run.judge_models, judge.key: used}
        self._run.drop_signals(name for name in SIGNALS if name not in self._signals)

    def ensure_embedder(self) -> Iterator[Event]:
        """Load the embedder and the NLI model if there are to be any and they are not there yet."""
        source = self._scoring.embedder_source
        if self._embedder is None and source is not None and source.location:
            yield Loading("embedder", source.name)
            with self._clock(Phase.EMBEDDER):
                self._embedder = self._load_embedder(source)
        if self._nli is None and self._scoring.nli_source is not None:
            yield Loading("nli", self._scoring.nli_source.name)
            assert self._load_nli is not None
            with self._clock(Phase.EMBEDDER):
                self._nli = self._load_nli(self._scoring.nli_source)

    def embed_answers(self, sample_sets: Iterable[SampleSet]) -> None:
        """Embed the answers of several questions in one call and note what each question cost."""
        sets = list(sample_sets)
        texts = {x.question.id: list(dict.fromkeys(_texts(x))) for x in sets}
        beside = {x.question.id: self._meanings.texts(x) for x in sets}
        new, seconds = self._embed_new(
            (text for of_question in texts.values() for text in of_question),
            [text for of_question in beside.values() for text in of_question],
        )
        if seconds:
            embedded = len(new) + sum(map(len, beside.values()))
            for resource, found in (("answer_embeddings", texts), ("meaning", beside)):
                counts = {x: sum(text in new or found is beside for text in of) for x, of in found.items()}
                self._run.add_costs(
                    ResourceCost(question_id, resource, seconds * count / embedded)
                    for question_id, count in counts.items()
                    if count
                )

    def is_apart(self, sample_set: SampleSet) -> bool:
        """Whether the valid samples of a question form two clusters or more, by the clustering that decides."""
        valid = sample_set.valid_samples
        self.embed_answers([sample_set])
        with self._clock(Phase.STORING):
            vectors = self._vectors({sample.answer for sample in valid})
        rows = np.stack([vectors[sample.answer] for sample in valid]) if vectors and valid else None
        primary = primary_of(method.similarity for method in self._methods)
        with self._clock(Phase.CLUSTERING):
            found, _ = self._cluster(
                sample_set,
                rows,
                self._pair_scores_of(sample_set.question),
                [method for method in self._methods if method.similarity == primary],
            )
        return any(clustering.clusters > 1 for clustering in found.values())

    def score(self, sample_set: SampleSet) -> QuestionScored:
        """Score one finished question, in one transaction."""
        question, greedy, valid = sample_set.question, sample_set.greedy, sample_set.valid_samples
        self.embed_answers([sample_set])
        texts = _texts(sample_set)
        with self._clock(Phase.STORING):
            vectors = self._vectors(texts)
        if not vectors.keys() >= set(texts):
            # Recorded ones do not hold every answer.
            vectors = {}
        sample_vectors = np.stack([vectors[s.answer] for s in valid]) if vectors and valid else None
        pair_scores = self._pair_scores_of(question)
        self._nli_seconds = 0.0
        with self._clock(Phase.CLUSTERING):
            clusterings, seconds = self._cluster(sample_set, sample_vectors, pair_scores, self._methods)
        inputs = SignalInputs(
            sample_set,
            self._expected_samples,
            clusterings,
            sample_vectors,
            vectors[greedy.answer] if vectors and greedy and greedy.is_valid else None,
            answer_token_texts(greedy.statistics, self._run.token_pieces) if greedy else None,
            leave_one_out_importance(self._embed) if self._embedder is not None else None,
            pair_scores=pair_scores,
            call_p_true=self._called(question.id, "p_true"),
            call_verbalized=self._called(question.id, "verbalized"),
        )
        with self._clock(Phase.SIGNALS):
            values = compute_signals(inputs, self._signals_to_compute(sample_set))
            verdict = self._label(question, greedy)
            of_samples = self._label_samples(question, valid)
        with self._clock(Phase.STORING), self._run.transaction():
            self._run.add_clusterings(clusterings.values())
            if self._nli_seconds:
                self._run.add_costs([ResourceCost(question.id, "pair_scores", self._nli_seconds)])
            self._run.add_signals(_with_clustering(value, seconds) for value in values)
            if verdict is not None and question.id not in self._given_labels:
                self._run.add_labels([verdict])
            self._run.add_labels(of_samples)
            if not self._keeps_arrays:
                self._run.drop_token_arrays(question.id)
                self._run.token_arrays_dropped = True
            self._run.mark_scored(question.id, self.key)
        return self._scored(question.id, clusterings, len(valid), verdict)

    def score_call(self, sample_set: SampleSet, call: ModelCall) -> None:
        """Compute the signal of a call that was made after its question was scored."""
        question_id = sample_set.question.id
        self._calls.setdefault(question_id, {})[call.kind] = call
        inputs = SignalInputs(
            sample_set,
            self._expected_samples,
            call_p_true=self._called(question_id, "p_true"),
            call_verbalized=self._called(question_id, "verbalized"),
        )
        names = [name for name in self._signals if f"call_{call.kind}" in SIGNALS[name].needs]
        self._run.add_signals(compute_signals(inputs, names))

    def store_judgement(self, sample_set: SampleSet, judgement: Judgement) -> QuestionScored:
        """Store what a model says of one greedy answer, in one transaction."""
        question_id = sample_set.question.id
        with self._run.transaction():
            self._run.add_calls([judgement.call])
            self._run.add_labels([judgement.label])
        self._given_labels[question_id] = judgement.label
        if not self._clusterings:
            # Everything is clustered by now, so that they are read once.
            self._clusterings = {method.name: self._run.clusterings(method) for method in self._methods}
        found = {name: x[question_id] for name, x in self._clusterings.items() if question_id in x}
        return self._scored(question_id, found, sample_set.valid_count, judgement.label)

    def unjudged(self) -> list[str]:
        """Return the questions that the judging model has still to be asked about; none without one."""
        if self._scoring.judge_source is None:
            return []
        return [
            x.question.id
            for x in self._run.sample_sets(self.kept, token_arrays=False, samples=False)
            if x.question.id not in self._given_labels and nothing_to_judge(x.question, x.greedy) is None
        ]

    def uncompared(self) -> dict[str, list[tuple[str, str]]]:
        """Return the pairs that the model of `meaning` has still to be asked about by question; none without one."""
        if self._scoring.meaning_source is None:
            return {}
        found = {x.question.id: self._meanings.unasked(x) for x in self._run.sample_sets(self.kept, token_arrays=False)}
        return {question_id: pairs for question_id, pairs in found.items() if pairs}

    def store_comparison(self, sample_set: SampleSet, pair: tuple[str, str], log_odds: Sequence[float]) -> None:
        """Store what the model of `meaning` said of one pair, in both orders."""
        self._meanings.store(sample_set, pair, log_odds)

    def release(self) -> None:
        """Free the memory of the embedder and the NLI model, for a model that comes after them."""
        self._embedder = self._nli = None

    def scored_before(self) -> Iterator[QuestionScored]:
        """Yield what earlier sessions scored, so that running figures begin where they stood."""
        states = self._run.question_states(self.key)
        clusterings = [(method.name, self._run.clusterings(method)) for method in self._methods]
        labels = self._run.labels(self._scoring.judge) if self._scoring.judge else {}
        for question in self._questions:
            if states[question.id] is RunState.SCORED:
                stored = {name: found[question.id] for name, found in clusterings if question.id in found}
                valid = max((len(clustering.assignment) for clustering in stored.values()), default=0)
                yield self._scored(question.id, stored, valid, labels.get(question.id))

    def forget(self, question_ids: Iterable[str]) -> None:
        """Drop what is known of questions whose answers are read otherwise now."""
        for question_id in question_ids:
            self._run.diversity_of = None
            if self._scoring.judge != RECORDED:
                self._given_labels.pop(question_id, None)
            for found in self._clusterings.values():
                found.pop(question_id, None)

    def score_run(self) -> None:
        """Compute and store the signals that see all questions at once."""
        texts = [question.text for question in self._questions]
        embedded = [self._embed_new(part) for part in chunks(texts, _QUESTIONS_AT_ONCE)]
        seconds = sum(taken for _, taken in embedded)
        vectors = self._vectors(texts)
        greedy = (s.greedy for s in self._run.sample_sets(token_arrays=False, samples=False))
        inputs = RunInputs(
            questions=self._questions,
            greedy={generation.question_id: generation for generation in greedy if generation is not None},
            question_embeddings=np.stack([vectors[text] for text in texts])
            if len(vectors) == len(set(texts))
            else None,
            reference=self._reference_pool(),
            cutoff=self._run.model_source.training_cutoff,
            run_date=datetime.fromisoformat(self._run.created).date(),
            embed=self._rows if self._embedder is not None else None,
            pair_scores=self._pair_scores if self._nli is not None else None,
        )
        with self._clock(Phase.SIGNALS):
            values = compute_run_signals(inputs, self._signals)
        with self._clock(Phase.STORING), self._run.transaction():
            self._run.add_signals(values)
            if any(new for new, _ in embedded):
                cost = seconds / len(texts)
                self._run.add_costs(
                    ResourceCost(question.id, "question_embedding", cost) for question in self._questions
                )
            self._run.run_signals = self.key

    # Parts

    def _cluster(
        self,
        sample_set: SampleSet,
        vectors: NDArray[np.float32] | None,
        pair_scores: PairScores | None,
        methods: Iterable[ClusteringMethod],
    ) -> tuple[dict[str, Clustering], dict[str, float]]:
        """Return the clusterings of one question, and the seconds that each took, by name."""
        found: dict[str, Clustering] = {}
        seconds: dict[str, float] = {}
        for method in methods:
            if method.similarity == "embedding" and vectors is None:
                continue
            similarity = self._meanings.similarity(sample_set, vectors) if method.similarity == "meaning" else None
            if method.similarity == "meaning" and similarity is None:
                continue
            # What the NLI model takes is a cost of its own, as embedding is.
            begun = time.perf_counter() - self._nli_seconds
            clustering = cluster_question(sample_set, method, vectors, pair_scores, similarity)
            if clustering is not None:
                found[method.name] = clustering
                seconds[method.name] = time.perf_counter() - self._nli_seconds - begun
        return found, seconds

    def _scored(
        self, question_id: str, clusterings: Mapping[str, Clustering], valid: int, verdict: Label | None
    ) -> QuestionScored:
        looks = self.looks
        return QuestionScored(
            question_id,
            self._positions[question_id],
            {name: clustering.clusters for name, clustering in clusterings.items()},
            valid,
            looks.first if looks is not None and question_id in looks.stopped else self._expected_samples,
            verdict.value.value if verdict else None,
            {name: clustering.assignment for name, clustering in clusterings.items()},
            is_apart=None if looks is None else looks.is_apart(question_id),
            is_audited=looks is not None and question_id in looks.audited,
        )

    def _called(self, question_id: str, kind: str) -> float | Unavailable | None:
        """Return what the model said of this answer, `None` where it was not asked."""
        call = self._calls.get(question_id, {}).get(kind)
        if call is None:
            return None
        return Unavailable(call.reason) if call.value is None else call.value

    def _signals_to_compute(self, sample_set: SampleSet) -> list[str]:
        """Return the chosen signals but those that are stored and whose token arrays are dropped."""
        if self.looks is not None and sample_set.question.id not in self.looks.audited:
            return []
        draws = [*([sample_set.greedy] if sample_set.greedy else []), *sample_set.samples]
        if not self._are_dropped(draws):
            return list(self._signals)
        # What reads token arrays and a new clustering or new embeddings has no stored value to keep: it is undefined.
        new = {f"clustering_{method.name}" for method in self._methods if method not in self._known_methods}
        if "clustering_embedding" in new or self._scoring.embedder_source is None:
            new |= {"sample_embeddings", "greedy_embedding"}
        return [
            name
            for name in self._signals
            if TOKEN_ARRAY_NEEDS.isdisjoint(SIGNALS[name].needs) or not new.isdisjoint(SIGNALS[name].needs)
        ]

    def _are_dropped(self, draws: Sequence[Generation]) -> bool:
        """Whether token arrays were there and are no longer; a recorded run and some servers never had any."""
        kept = (x.statistics.token_ids is not None or x.statistics.logprobs is not None for x in draws if x.tokens)
        if self._run.is_recorded or all(kept):
            return False
        return self._run.model_source.kind != "server" or self._run.token_arrays_dropped

    def _label(self, question: Question, greedy: Generation | None) -> Label | None:
        if self._scoring.judge is None:
            return None
        if self._scoring.judge_source is not None and (verdict := nothing_to_judge(question, greedy)) is not None:
            return Label(question.id, self._scoring.judge, verdict.value, verdict.reason)
        if self._scoring.judge_source is not None or self._scoring.judge == RECORDED:
            return self._given_labels.get(question.id)
        return self._judged(question, greedy, self._scoring.judge)

    def _label_samples(self, question: Question, samples: Sequence[Generation]) -> list[Label]:
        """Return the labels of samples by a judge that costs nothing; a model is asked about greedy answers alone."""
        judge = self._scoring.judge
        if judge is None or judge not in JUDGES:
            return []
        return [self._judged(question, sample, judge) for sample in samples]

    def _judged(self, question: Question, answer: Generation | None, judge: str) -> Label:
        embedder = self._scoring.embedder_source
        embed = self._rows if judge == NEAREST and self._embedder is not None else None
        return label(question, answer, judge, embed, embedder.name if embedder is not None else "")

    def _stored_labels(self) -> dict[str, Label]:
        """Return the labels that are not computed here: those that came with a file, or from a model."""
        is_given = self._scoring.judge == RECORDED or self._scoring.judge_source is not None
        return self._run.labels(self._scoring.judge) if self._scoring.judge is not None and is_given else {}

    def _reference_pool(self) -> ReferencePool | None:
        """Return the pool that density measures against, `None` for the run's own questions."""
        if self._scoring.density_pool is None or self._embedder is None:
            return None
        texts = [question.text for question in load_questions(Path(self._scoring.density_pool).as_posix()).questions]
        return ReferencePool(texts, self._rows(texts))

    # Entailment

    def _pair_scores_of(self, question: Question) -> PairScores | None:
        """Return the scores of one question's answers, `None` without an NLI model."""
        nli = self._scoring.nli_source
        if nli is None or self._nli is None:
            return None
        return with_question(question.text, self._pair_scores) if nli.question_first else self._pair_scores

    def _pair_scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Return (n, 3) scores through the run file's store, where each pair is computed once."""
        assert self._scoring.nli_source is not None and self._nli is not None
        key = self._scoring.nli_source.key
        found = self._run.pair_scores(key, pairs)
        new = [pair for pair in dict.fromkeys(pairs) if pair not in found]
        if new:
            begun = time.perf_counter()
            rows = self._nli.scores(new)
            self._nli_seconds += time.perf_counter() - begun
            computed = dict(zip(new, rows, strict=True))
            self._run.add_pair_scores(key, computed)
            found |= computed
        return np.stack([found[pair] for pair in pairs]) if pairs else np.zeros((0, 3), dtype=np.float32)

    # Embeddings

    def _embed_new(self, texts: Iterable[str], beside: Sequence[str] = ()) -> tuple[frozenset[str], float]:
        """Embed and store what is not stored, and embed what is needed once; return the stored texts and the seconds.

        Args:
            texts: To store.
            beside: Whose vectors `meaning` needs once.
        """
        if self._scoring.embedder_source is None or self._embedder is None:
            return frozenset(), 0.0
        wanted = list(dict.fromkeys(texts))
        stored = self._run.embeddings(self._scoring.embedder_source.key, wanted)
        new = [text for text in wanted if text not in stored]
        begun = time.perf_counter()
        rows = self._embed([*new, *beside]) if new or beside else np.zeros((0, 0), dtype=np.float32)
        seconds = time.perf_counter() - begun if new or beside else 0.0
        self._meanings.take(beside, rows[len(new) :])
        if not new:
            return frozenset(), seconds
        self._run.add_embeddings(self._scoring.embedder_source.key, dict(zip(new, rows, strict=False)))
        return frozenset(new), seconds

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self._embedder is not None
        with self._clock(Phase.EMBEDDING):
            return self._embedder.embed(texts)

    def _vectors(self, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Return vectors as they are stored, so that a figure is the same whether its vector is new or old."""
        source = self._scoring.embedder_source
        return {} if source is None else self._run.embeddings(source.key, texts)

    def _rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts` as rows, through the run file's store."""
        self._embed_new(texts)
        vectors = self._vectors(texts)
        return np.stack([vectors[text] for text in texts])


def _with_clustering(value: SignalValue, seconds: Mapping[str, float]) -> SignalValue:
    """Add to a signal's seconds those of the clusterings that it reads."""
    needs = SIGNALS[value.signal].needs
    spent = sum(taken for name, taken in seconds.items() if f"clustering_{name}" in needs)
    return replace(value, seconds=value.seconds + spent) if spent else value


def _texts(sample_set: SampleSet) -> list[str]:
    """Return the answers of one question that are embedded: nothing where there is nothing to compare."""
    valid = sample_set.valid_samples
    if not valid:
        return []
    greedy = sample_set.greedy
    return [sample.answer for sample in valid] + ([greedy.answer] if greedy and greedy.is_valid else [])
