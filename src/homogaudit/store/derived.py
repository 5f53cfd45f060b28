"""What is derived from the draws of a run: calls, costs, embeddings, clusterings, labels and signals.

Each is stored under everything that it depends on; a new one takes the place of the old one.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homogaudit.records import (
    Clustering,
    ClusteringMethod,
    Label,
    LabelValue,
    ModelCall,
    ResourceCost,
    SignalValue,
)
from homogaudit.store.database import Database, chunks, text_hash, to_blob
from homogaudit.store.signal_columns import SignalColumn, signal_columns

_TEXTS_AT_ONCE = 500
"""Read by one query."""


class Derived(Database):
    """The tables of what was computed, and of what a model was asked."""

    def _put(self, table: str, rows: Iterable[tuple[Any, ...]], *, instead: str = "REPLACE") -> None:
        """Store rows of a table; `instead` says what becomes of one that is there."""
        stored = list(rows)
        if stored:
            with self.transaction():
                places = ", ".join("?" * len(stored[0]))
                self._connection.executemany(f"INSERT OR {instead} INTO {table} VALUES ({places})", stored)

    def add_calls(self, calls: Iterable[ModelCall]) -> None:
        """Store what the model said of its own answers; a new call of the same kind replaces the old one."""
        self._put(
            "calls",
            ((self._positions[x.question_id], x.kind, x.value, x.reason, x.text, x.tokens, x.seconds) for x in calls),
        )

    def calls(self) -> dict[str, dict[str, ModelCall]]:
        """Return the stored calls by question id, then by kind."""
        found: dict[str, dict[str, ModelCall]] = {}
        if self._version < 2:
            return found
        rows = self.stream("SELECT position, kind, value, reason, text, tokens, seconds FROM calls ORDER BY position")
        for question_id, kind, *fields in self.named(rows):
            found.setdefault(question_id, {})[kind] = ModelCall(question_id, kind, *fields)
        return found

    def add_costs(self, costs: Iterable[ResourceCost]) -> None:
        """Store what questions cost; a new measurement replaces the old one."""
        self._put("costs", ((self._positions[x.question_id], x.resource, x.seconds, x.tokens) for x in costs))

    def costs(self) -> list[ResourceCost]:
        """Return every stored cost in the order of the questions."""
        if self._version < 2:
            return []
        rows = self.stream("SELECT position, resource, seconds, tokens FROM costs ORDER BY position, resource")
        return [ResourceCost(x, sys.intern(resource), *spent) for x, resource, *spent in self.named(rows)]

    def add_embeddings(self, embedder: str, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Store embeddings of unique texts as float16; a text that is there already is left alone."""
        rows = ((embedder, text_hash(text), to_blob(vector, "<f2")) for text, vector in vectors.items())
        self._put("embeddings", rows, instead="IGNORE")

    def embeddings(self, embedder: str, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Return the stored embeddings among `texts` as unit float32 vectors of shape (d,)."""
        found: dict[str, NDArray[np.float32]] = {}
        by_hash = {text_hash(text): text for text in texts}
        for hashes in chunks(list(by_hash), _TEXTS_AT_ONCE):
            query = "SELECT text_hash, vector FROM embeddings WHERE embedder = ? AND text_hash IN "
            rows = self.rows(f"{query}({','.join('?' * len(hashes))})", (embedder, *hashes))
            if rows:
                vectors = np.frombuffer(b"".join(blob for _, blob in rows), dtype="<f2").astype(np.float32)
                vectors = vectors.reshape(len(rows), -1)
                # float16 moves the norm by up to 1e-3, which would move cosines near a threshold.
                vectors /= np.maximum(np.sqrt([np.dot(vector, vector) for vector in vectors]), 1e-12)[:, None]
                found |= {by_hash[text_hash]: vector for (text_hash, _), vector in zip(rows, vectors, strict=True)}
        return found

    def add_pair_scores(self, model: str, scores: Mapping[tuple[str, str], NDArray[np.float32]]) -> None:
        """Keep the (3,) scores of pairs (premise, hypothesis) under a model's key."""
        self._put(
            "pair_scores",
            ((model, text_hash(one), text_hash(other), to_blob(row, "<f4")) for (one, other), row in scores.items()),
        )

    def pair_scores(self, model: str, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], NDArray[np.float32]]:
        """Return the stored scores of the given pairs; a pair that has none is left out."""
        if self._version < 2:
            return {}
        query = "SELECT scores FROM pair_scores WHERE model = ? AND premise_hash = ? AND hypothesis_hash = ?"
        found: dict[tuple[str, str], NDArray[np.float32]] = {}
        for premise, hypothesis in dict.fromkeys(pairs):
            for (blob,) in self.rows(query, (model, text_hash(premise), text_hash(hypothesis))):
                found[premise, hypothesis] = np.frombuffer(blob, dtype="<f4")
        return found

    def add_similarities(self, key: str, question: str, answers: Iterable[str], matrix: NDArray[np.float64]) -> None:
        """Keep how similar the answers to a question are to each other, under what that depends on.

        Args:
            key: Of the similarity.
            question: The question.
            answers: n >= 2 answers, each once, in the order of the rows.
            matrix: (n, n), symmetric, not negative.
        """
        rows = sorted(range(len(matrix)), key=list(answers).__getitem__)
        pairs = matrix[np.ix_(rows, rows)][np.triu_indices(len(rows), 1)]
        self._put("pair_scores", [(key, text_hash(question), _hash_of_all(answers), to_blob(pairs, "<f4"))])

    def similarities(self, key: str, question: str, answers: Sequence[str]) -> NDArray[np.float64] | None:
        """Return the stored similarities of answers to a question, in their order; `None` where there are none.

        Args:
            key: Of the similarity.
            question: The question.
            answers: n answers, which may repeat.

        Returns:
            (n, n) float64, not negative, ones on the diagonal and between equal answers.
        """
        if self._version < 2:
            return None
        if len(set(answers)) < 2:
            return np.ones((len(answers), len(answers)))
        query = "SELECT scores FROM pair_scores WHERE model = ? AND premise_hash = ? AND hypothesis_hash = ?"
        rows = self.rows(query, (key, text_hash(question), _hash_of_all(answers)))
        stored = next((blob for (blob,) in rows), None)
        if stored is None:
            return None
        unique = sorted(set(answers))
        places = [unique.index(answer) for answer in answers]
        return square(np.frombuffer(stored, dtype="<f4"), len(unique))[np.ix_(places, places)]

    def add_clusterings(self, clusterings: Iterable[Clustering]) -> None:
        """Store clusterings under everything that they depend on."""
        rows = ((self._positions[x.question_id], x.method, json.dumps(x.assignment)) for x in clusterings)
        self._put(
            "clusterings",
            ((place, m.key, m.similarity, m.linkage, m.threshold, m.embedder, given) for place, m, given in rows),
        )

    def clustering_methods(self) -> list[ClusteringMethod]:
        """Return the methods that have stored clusterings."""
        rows = self.rows("SELECT DISTINCT similarity, linkage, threshold, embedder FROM clusterings ORDER BY key")
        return [ClusteringMethod(*row) for row in rows]

    def clusterings(self, method: ClusteringMethod) -> dict[str, Clustering]:
        """Return the stored clusterings of one method by question id."""
        rows = self.stream(
            "SELECT position, assignment FROM clusterings WHERE key = ? ORDER BY position", (method.key,)
        )
        # Most are one of a few.
        read: dict[str, tuple[int, ...]] = {}
        found: dict[str, Clustering] = {}
        for question_id, stored in self.named(rows):
            if stored not in read:
                read[stored] = tuple(json.loads(stored))
            found[question_id] = Clustering(question_id, method, read[stored])
        return found

    def add_labels(self, labels: Iterable[Label]) -> None:
        """Store labels; a new label of the same draw and judge replaces the old one."""
        self._put(
            "labels",
            ((self._positions[x.question_id], x.sample_index, x.judge, x.value.value, x.reason) for x in labels),
        )

    def judges(self) -> list[str]:
        """Return the judges that have stored labels of greedy answers."""
        return [
            judge for (judge,) in self.rows(f"SELECT DISTINCT judge FROM labels WHERE {self._is_greedy} ORDER BY judge")
        ]

    def labels(self, judge: str) -> dict[str, Label]:
        """Return the stored labels of the greedy answers by one judge, by question id."""
        rows = self.stream(
            f"SELECT position, value, reason FROM labels WHERE judge = ? AND {self._is_greedy} ORDER BY position",
            (judge,),
        )
        # Many share a reason.
        reasons: dict[str, str] = {}
        return {
            question_id: Label(question_id, judge, LabelValue(value), reasons.setdefault(reason, reason))
            for question_id, value, reason in self.named(rows)
        }

    def sample_labels(self, judge: str, question_id: str | None = None) -> dict[str, dict[int, Label]]:
        """Return the stored labels of samples by one judge, by question id, then by sample index.

        Args:
            judge: The judge.
            question_id: Of which question; `None` for all.
        """
        if self._version < 4:
            return {}
        rows = self.stream(
            "SELECT position, sample_index, value, reason FROM labels "
            "WHERE judge = ? AND sample_index >= 0 AND position = coalesce(?, position) "
            "ORDER BY position, sample_index",
            (judge, None if question_id is None else self._positions[question_id]),
        )
        found: dict[str, dict[int, Label]] = {}
        reasons: dict[str, str] = {}
        for name, index, value, reason in self.named(rows):
            shared = reasons.setdefault(reason, reason)
            found.setdefault(name, {})[index] = Label(name, judge, LabelValue(value), shared, index)
        return found

    def sample_label_values(self, judge: str) -> Iterator[tuple[str, dict[int, LabelValue]]]:
        """Yield what one judge says of the samples, by index, of each question that has labelled ones.

        A large run has millions of labels: unlike `sample_labels` this holds those of one question.
        """
        if self._version < 4:
            return
        rows = self.stream(
            "SELECT position, sample_index, value FROM labels WHERE judge = ? AND sample_index >= 0 ORDER BY position",
            (judge,),
        )
        for name, of_question in groupby(self.named(rows), key=itemgetter(0)):
            yield name, {index: LabelValue(value) for _, index, value in of_question}

    def add_signals(self, values: Iterable[SignalValue]) -> None:
        """Store signal values; a newly computed value replaces the old one."""
        self._put("signals", ((self._positions[x.question_id], x.signal, x.value, x.reason, x.seconds) for x in values))

    def drop_signals(self, names: Iterable[str]) -> None:
        """Forget the values of some signals."""
        with self.transaction():
            self._connection.executemany("DELETE FROM signals WHERE signal = ?", [(name,) for name in names])

    def signals(self) -> dict[str, SignalColumn]:
        """Return every stored value by signal name, then by question id."""
        rows = self.stream("SELECT position, signal, value, reason, seconds FROM signals ORDER BY position, signal")
        return signal_columns(rows, self._positions)

    def signal_names(self) -> list[str]:
        """Return the names of the signals that have stored values."""
        return [name for (name,) in self.rows("SELECT DISTINCT signal FROM signals ORDER BY signal")]

    def replace_diversity(self, measures: Mapping[tuple[str, str], Mapping[str, float]]) -> None:
        """Store how diverse the answers to questions are, in the place of everything that was stored of it.

        Args:
            measures: By question id, of each measure and the key of the clustering whose similarities it is of; empty
                where it is of the texts.
        """
        with self.transaction():
            self._connection.execute("DELETE FROM diversity")
            for (measure, clustering), values in measures.items():
                self._put("diversity", ((self._positions[x], measure, clustering, v) for x, v in values.items()))

    def diversity(self) -> dict[tuple[str, str], dict[str, float]]:
        """Return what `replace_diversity` stored."""
        found: dict[tuple[str, str], dict[str, float]] = {}
        if self._version < 5:
            return found
        rows = self.stream("SELECT position, measure, clustering, value FROM diversity ORDER BY position")
        for question_id, measure, clustering, value in self.named(rows):
            found.setdefault((measure, clustering), {})[question_id] = value
        return found

    def mark_scored(self, question_id: str, scoring: str) -> None:
        """Note that what is stored for one question is what `scoring` asks for, and no earlier scoring."""
        position = self._positions[question_id]
        with self.transaction():
            # Signals and labels are those of the last scoring only, so an earlier one no longer holds.
            self._connection.execute("DELETE FROM scorings WHERE position = ?", (position,))
            self._connection.execute("INSERT INTO scorings VALUES (?, ?)", (position, scoring))


def square(pairs: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """Return the symmetric (size, size) matrix with ones on its diagonal, from what stands above that, row by row."""
    matrix = np.eye(size)
    matrix[np.triu_indices(size, 1)] = pairs
    return np.maximum(matrix, matrix.T)


def _hash_of_all(texts: Iterable[str]) -> bytes:
    """Return one hash of several texts, whatever their order and however often each is there."""
    return text_hash("\0".join(sorted(set(texts))))
