from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import squareform

from homogaudit.clustering.linkage import link
from homogaudit.errors import UsageError
from homogaudit.records import (
    GREEDY,
    Clustering,
    ClusteringMethod,
    Generation,
    GenerationState,
    Label,
    LabelValue,
    Question,
    SignalValue,
    TokenStatistics,
)
from homogaudit.report.undefined import Undefined
from homogaudit.store import RunFile
from homogaudit.store.recorded import read_recorded, write_run
from homogaudit.tui.question_view import (
    MethodView,
    QuestionView,
    groups_of,
    load_question,
    one_cluster_threshold,
    read_tables,
    recluster,
)

EMBEDDER = "tiny#1"
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, EMBEDDER)
JACCARD = ClusteringMethod("jaccard", "single", 0.40)
ANSWERS = ["Paris", "Paris it is", "Rome"]
# Cosines: Paris and "Paris it is" 0.8, Paris and Rome 0, "Paris it is" and Rome 0.6.
VECTORS = {
    "Paris": np.array([1.0, 0.0], dtype=np.float32),
    "Paris it is": np.array([0.8, 0.6], dtype=np.float32),
    "Rome": np.array([0.0, 1.0], dtype=np.float32),
}
QUESTIONS = [
    Question("q0", "Where is the Louvre?", "places", ("Paris",), ("Rome",)),
    Question("q1", "And the Prado?"),
    Question("q2", "And the Uffizi?"),
]


def similarity(n: int, seed: int) -> NDArray[np.float64]:
    """Cosines of n random directions in five dimensions."""
    rows = np.random.default_rng(seed).normal(size=(n, 5))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    matrix = np.clip(rows @ rows.T, -1, 1)
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1.0)
    return matrix


@pytest.fixture
def run(make_run: Callable[..., RunFile]) -> RunFile:
    run = make_run(QUESTIONS, decoding={"samples": 4, "greedy_max_tokens": 10})
    statistics = TokenStatistics(
        token_ids=np.array([7, 8, 9], dtype=np.int32),
        entropies=np.array([0.5, 1.5, 9.0], dtype=np.float32),
        answer_mask=np.array([True, True, False]),
    )
    run.add_generation(
        Generation("q0", GREEDY, "Paris!", "Paris!", GenerationState.VALID, "stop", 3, statistics),
        pieces={7: b"Par", 8: b"is!", 9: b"<end>"},
    )
    for index, answer in enumerate(ANSWERS):
        run.add_generation(Generation("q0", index, answer, answer, GenerationState.VALID, "length"))
    run.add_generation(Generation("q0", 3, "<think>", "", GenerationState.THINKING_UNCLOSED, "length"))
    run.add_embeddings(EMBEDDER, VECTORS)
    run.add_clusterings([Clustering("q0", EMBEDDING, (0, 1, 2)), Clustering("q0", JACCARD, (0, 1, 2))])
    run.add_labels([Label("q0", "overlap", LabelValue.CORRECT, "overlap 1.000")])
    for question_id, value in (("q0", 2.0), ("q1", 3.0), ("q2", 2.0)):
        run.add_signals([SignalValue(question_id, "token_entropy_mean", value)])
    run.add_signals([SignalValue("q0", "perplexity", None, "no log-probabilities")])
    return run


def method(view: QuestionView, name: str) -> MethodView:
    return next(method for method in view.methods if method.name == name)


def test_a_question_comes_with_its_draws_labels_and_place(run: RunFile) -> None:
    view = load_question(run, "q0")
    assert view.question == QUESTIONS[0]
    assert (view.position, view.ids) == (0, ("q0", "q1", "q2"))
    assert [label.value for label in view.labels] == [LabelValue.CORRECT]
    assert view.expected == 4
    assert [sample.states for sample in view.samples] == [("truncated",)] * 3 + [("thinking_unclosed", "truncated")]
    assert [sample.text for sample in view.valid_samples] == ANSWERS


def test_tokens_of_the_answer_come_with_their_texts(run: RunFile) -> None:
    tokens = load_question(run, "q0").greedy_tokens
    assert not isinstance(tokens, Undefined)
    assert [(token.text, token.entropy) for token in tokens] == [("Par", 0.5), ("is!", 1.5)]


def test_tokens_whose_pieces_are_not_all_stored_have_no_text(run: RunFile) -> None:
    statistics = TokenStatistics(
        token_ids=np.array([7, 99], dtype=np.int32), entropies=np.array([0.5, 1.0], dtype=np.float32)
    )
    run.add_generation(Generation("q1", GREEDY, "Par?", "Par?", GenerationState.VALID, "stop", 2, statistics))
    tokens = load_question(run, "q1").greedy_tokens
    assert not isinstance(tokens, Undefined)
    assert [token.text for token in tokens] == [None, None]


def test_similarities_come_from_the_stored_embeddings_and_texts(run: RunFile) -> None:
    view = load_question(run, "q0")
    embedding = method(view, "embedding").similarity
    assert not isinstance(embedding, Undefined)
    assert embedding == pytest.approx(np.array([[1, 0.8, 0], [0.8, 1, 0.6], [0, 0.6, 1]]), abs=1e-3)
    jaccard = method(view, "jaccard").similarity
    assert not isinstance(jaccard, Undefined)
    assert jaccard.tolist() == np.eye(3).tolist()


def test_another_threshold_gives_other_clusters(run: RunFile) -> None:
    embedding = method(load_question(run, "q0"), "embedding")
    assert embedding.assignment == (0, 1, 2)
    assert recluster(embedding, 0.85) == (0, 1, 2)
    assert recluster(embedding, 0.7) == (0, 0, 1)
    # The last merge of the average linkage: (0 + 0.6) / 2.
    assert embedding.one_cluster_to == pytest.approx(0.3, abs=1e-3)
    assert recluster(embedding, 0.29) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n", [2, 3, 10, 25])
def test_one_cluster_ends_at_the_height_of_the_last_merge(n: int, seed: int) -> None:
    matrix = similarity(n, seed)
    distances = squareform(1 - matrix, checks=False)
    average = 1 - scipy_linkage(distances, "average")[-1, 2]
    # The weakest edge of the maximum spanning tree; 2 is added because an edge of weight 0 is no edge to SciPy.
    single = 1 - (minimum_spanning_tree(np.triu(1 - matrix + 2, 1)).data.max() - 2)
    assert one_cluster_threshold(matrix, "average") == pytest.approx(average, abs=1e-9)
    assert one_cluster_threshold(matrix, "single") == pytest.approx(single, abs=1e-9)
    assert one_cluster_threshold(matrix, "leader") == matrix[0, 1:].min()


@pytest.mark.parametrize("linkage", ["single", "average", "leader"])
@pytest.mark.parametrize("seed", range(5))
def test_one_cluster_holds_at_its_threshold_and_not_above(linkage: str, seed: int) -> None:
    matrix = similarity(9, seed)
    height = one_cluster_threshold(matrix, linkage)
    assert len(set(link(matrix, height, linkage))) == 1
    assert len(set(link(matrix, height + 1e-9, linkage))) > 1


def test_equal_answers_are_one_cluster_at_every_threshold() -> None:
    assert one_cluster_threshold(np.ones((4, 4)), "average") == 1.0
    assert one_cluster_threshold(np.ones((4, 4)), "single") == 1.0


def test_groups_stand_by_size_with_their_medoid_first() -> None:
    matrix = np.array([[1, 0, 0.2, 0.3], [0, 1, 0, 0], [0.2, 0, 1, 0.9], [0.3, 0, 0.9, 1]])
    groups = groups_of([0, 1, 0, 0], matrix)
    # Mean similarities inside the first cluster: 0.5, 0.7 and 0.733.
    assert [(group.number, group.members) for group in groups] == [
        (0, (3, 0, 2)),
        (1, (1,)),
    ]
    assert [group.share for group in groups] == [0.75, 0.25]


def test_ranks_count_the_questions_that_are_more_uncertain(run: RunFile) -> None:
    signals = {signal.name: signal for signal in load_question(run, "q0").signals}
    entropy = signals["token_entropy_mean"]
    assert (entropy.value, entropy.rank, entropy.tied, entropy.n) == (2.0, 2, 1, 3)
    assert signals["perplexity"].value == Undefined("no log-probabilities")


def test_a_recorded_signal_whose_low_values_are_uncertain_ranks_from_below(make_run: Callable[..., RunFile]) -> None:
    run = make_run(QUESTIONS, name="recorded.audit")
    run.set_meta("directions", {"recorded:density": -1})
    for question, value in zip(QUESTIONS, (0.1, 0.5, 0.9), strict=True):
        run.add_signals([SignalValue(question.id, "recorded:density", value)])
    tables = read_tables(run)
    ranks = [load_question(run, question.id, tables).signals[0].rank for question in QUESTIONS]
    assert ranks == [1, 2, 3]


def test_signals_can_be_left_for_later(run: RunFile) -> None:
    view = load_question(run, "q0", read_tables(run, signals=False))
    assert view.signals == ()
    assert len(view.samples) == 4


def test_a_question_without_draws_says_what_is_missing(run: RunFile) -> None:
    view = load_question(run, "q1")
    assert view.greedy == Undefined("no greedy answer is stored")
    assert view.greedy_tokens == Undefined("no greedy answer is stored")
    assert method(view, "embedding").assignment == Undefined("no samples are stored")
    assert view.labels == ()


def test_missing_embeddings_leave_the_stored_clusters(run: RunFile) -> None:
    for index, answer in enumerate(["Madrid", "Toledo"]):
        run.add_generation(Generation("q1", index, answer, answer, GenerationState.VALID, "stop"))
    run.add_clusterings([Clustering("q1", EMBEDDING, (0, 1))])
    embedding = method(load_question(run, "q1"), "embedding")
    assert embedding.assignment == (0, 1)
    assert embedding.similarity == Undefined("2 of 2 answers have no stored embedding")
    assert not embedding.can_recluster
    with pytest.raises(ValueError, match="cannot be clustered again"):
        recluster(embedding, 0.5)


def test_entailment_shows_the_lesser_way_once_all_pairs_have_scores(run: RunFile) -> None:
    nli = ClusteringMethod("entailment", "single", 0.5, "nli#1")
    run.add_clusterings([Clustering("q0", nli, (0, 0, 1))])
    before = method(load_question(run, "q0"), "entailment")
    assert before.assignment == (0, 0, 1)
    assert isinstance(before.similarity, Undefined)
    scores = {
        (first, second): np.array([0.5 if first < second else 0.25, 0, 0], dtype=np.float32)
        for first in ANSWERS
        for second in ANSWERS
        if first != second
    }
    run.add_pair_scores("nli#1", scores)
    after = method(load_question(run, "q0"), "entailment")
    assert not isinstance(after.similarity, Undefined)
    assert after.similarity[0].tolist() == [1.0, 0.25, 0.25]
    # A pair joins above the threshold of entailment, not at it.
    assert recluster(after, 0.25) == (0, 1, 2)
    assert recluster(after, 0.24) == (0, 0, 0)


def test_an_unknown_question_is_an_error(run: RunFile) -> None:
    with pytest.raises(UsageError, match="no question `q9`"):
        load_question(run, "q9")


def test_recorded_answers_can_be_looked_at(reference: Path, tmp_path: Path) -> None:
    recorded = read_recorded(reference / "minimax-m2.7.samples.jsonl", parse_answer=None)
    with write_run(recorded, tmp_path / "minimax.audit") as run:
        tables = read_tables(run)
        views = [load_question(run, question_id, tables) for question_id in tables.ids[:5]]
    assert all(len(view.samples) == 10 for view in views)
