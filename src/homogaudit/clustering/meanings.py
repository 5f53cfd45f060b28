"""How similar the answers of a question are in meaning: what has to be embedded or asked, and what is stored of it."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from homogaudit.clustering.meaning import MeaningFit, meaning_similarity, shipped_fit, together
from homogaudit.events import Scoring
from homogaudit.records import SampleSet
from homogaudit.store import RunFile

Pair = tuple[str, str]

_OPEN_SHARE = 0.2
"""Of all pairs of samples that the embedder leaves open, each text once: 0.02 to 0.48 in four runs of small models. It
is for estimates alone."""


def expected_open(pairs: int) -> int:
    """Return about how many pairs of samples are open, of so many that are not embedded yet."""
    return round(_OPEN_SHARE * pairs)


def most_pairs(samples: int) -> int:
    """Return how many pairs the samples of one question form if no two are the same text."""
    return samples * (samples - 1) // 2


class Meanings:
    """The similarities behind the clustering `meaning` of one scoring; a run file keeps them, not their vectors.

    Where a model is asked, they are there only once it has replied about every pair that the embedder leaves open.

    Args:
        run: Open for writing.
        scoring: With its clusterings; where `meaning` is none of them there is nothing to embed.
    """

    def __init__(self, run: RunFile, scoring: Scoring) -> None:
        self._run = run
        self._key = next((x.embedder for x in scoring.methods if x.similarity == "meaning"), None)
        embedder = scoring.embedder_source
        fit = shipped_fit(embedder.key) if embedder is not None and embedder.location else None
        source = scoring.meaning_source
        self._asked = source.key if source is not None else None
        self._yes_from = source.threshold if source is not None else 0.5
        self._fit: MeaningFit | None = None
        self._guard = ""
        # A run that was begun with another version keeps what that one said.
        if (
            fit is not None
            and embedder is not None
            and fit.key(embedder.key, source and source.clustering_key) == self._key
        ):
            self._fit, self._guard = fit, fit.key(embedder.key)
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def texts(self, sample_set: SampleSet) -> list[str]:
        """Return what has to be embedded for one question: its answers with the question before them."""
        answers = _unique(sample_set)
        if self._fit is None or len(answers) < 2 or self._guarded(sample_set, answers) is not None:
            return []
        texts = (together(sample_set.question.text, answer) for answer in answers)
        return [text for text in texts if text not in self._vectors]

    def take(self, texts: Sequence[str], rows: NDArray[np.float32]) -> None:
        """Take the vectors of such texts, one row each, until their question is clustered."""
        self._vectors |= dict(zip(texts, rows, strict=True))

    def similarity(self, sample_set: SampleSet, vectors: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """Return how similar the valid samples of a question are; computed and stored where it is not stored yet.

        Args:
            sample_set: The draws of the question.
            vectors: (valid samples, d), of the answers alone.

        Returns:
            (valid samples, valid samples), `None` without vectors, or where the model is still to be asked.
        """
        question, answers = sample_set.question.text, [sample.answer for sample in sample_set.valid_samples]
        if self._key is None:
            return None
        if (stored := self._run.similarities(self._key, question, answers)) is not None:
            return stored
        self._embedded(sample_set, vectors)
        if self._asked is not None:
            self._add_replies(sample_set)
        # As it is stored, so that a figure is the same whether it is new or old.
        return self._run.similarities(self._key, question, answers)

    def unasked(self, sample_set: SampleSet) -> list[Pair] | None:
        """Return the open pairs of a question that the model was not asked about, each once; `None` if not embedded."""
        if self._asked is None or self._fit is None:
            return []
        answers = _unique(sample_set)
        guarded = self._guarded(sample_set, answers)
        if guarded is None:
            return None
        found = self._open(answers, guarded)
        stored = self._replies(sample_set, found)
        return [pair for pair in found if pair not in stored]

    def store(self, sample_set: SampleSet, pair: Pair, log_odds: Sequence[float]) -> None:
        """Keep what the model said of a pair, in both orders."""
        assert self._asked is not None
        question = sample_set.question.text
        texts = (together(question, pair[0]), together(question, pair[1]))
        self._run.add_pair_scores(self._asked, {texts: np.asarray(log_odds, dtype=np.float32)})

    def _guarded(self, sample_set: SampleSet, answers: Sequence[str]) -> NDArray[np.float64] | None:
        return self._run.similarities(self._guard, sample_set.question.text, answers)

    def _open(self, answers: Sequence[str], guarded: NDArray[np.float64]) -> list[Pair]:
        assert self._fit is not None
        places = combinations(range(len(answers)), 2)
        return [(answers[i], answers[j]) for i, j in places if self._fit.is_open(float(guarded[i, j]))]

    def _replies(self, sample_set: SampleSet, pairs: Sequence[Pair]) -> dict[Pair, float]:
        """Return the mean log-odds of the stored replies about some pairs."""
        assert self._asked is not None
        question = sample_set.question.text
        texts = {pair: (together(question, pair[0]), together(question, pair[1])) for pair in pairs}
        stored = self._run.pair_scores(self._asked, texts.values())
        return {pair: float(stored[both].mean()) for pair, both in texts.items() if both in stored}

    def _embedded(self, sample_set: SampleSet, vectors: NDArray[np.float32] | None) -> None:
        """Store what the embedder says of a question, where its vectors are there and it is not stored yet."""
        question, unique = sample_set.question.text, _unique(sample_set)
        texts = [together(question, answer) for answer in unique]
        if vectors is None or self._fit is None or not self._vectors.keys() >= set(texts):
            return
        rows = np.stack([self._vectors[text] for text in texts])
        for text in set(texts):
            del self._vectors[text]
        answers = [sample.answer for sample in sample_set.valid_samples]
        alone = vectors[[answers.index(answer) for answer in unique]]
        self._run.add_similarities(
            self._guard, question, unique, meaning_similarity(question, unique, rows, alone, self._fit)
        )

    def _add_replies(self, sample_set: SampleSet) -> None:
        """Store the similarities of a question once the model has replied about each of its open pairs."""
        unique = _unique(sample_set)
        guarded = self._guarded(sample_set, unique)
        if self._fit is None or self._key is None or guarded is None:
            return
        open_pairs = self._open(unique, guarded)
        replies = self._replies(sample_set, open_pairs)
        if len(replies) < len(open_pairs):
            return
        place = {answer: row for row, answer in enumerate(unique)}
        for (first, second), log_odds in replies.items():
            i, j = place[first], place[second]
            guarded[i, j] = guarded[j, i] = self._fit.probability_asked(log_odds, self._yes_from)
        self._run.add_similarities(self._key, sample_set.question.text, unique, guarded)


def _unique(sample_set: SampleSet) -> list[str]:
    return list(dict.fromkeys(sample.answer for sample in sample_set.valid_samples))
