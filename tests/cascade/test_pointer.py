import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from homogaudit.cascade.pointer import FREE_FEATURES, free_features, pointer_model
from homogaudit.errors import UndefinedStatisticError
from homogaudit.statistics import stratified_folds


def named(question: str, answer: str, entropies) -> dict[str, float]:
    return dict(zip(FREE_FEATURES, free_features(question, answer, entropies), strict=True))


def test_there_are_seven_entropy_and_thirteen_text_features():
    assert len(FREE_FEATURES) == 20
    assert sum(name.startswith("entropy_") for name in FREE_FEATURES) == 7


def test_features_by_hand():
    found = named("Who wrote it?", "It was probably not Bacon.", [0.0, 1.0, 5.0])
    # Mean 2, so one of three is above 4; variance (4 + 1 + 9) / 3.
    entropies = [2, 5, 0, np.sqrt(14 / 3), 1, 0, 1 / 3]
    assert [found[name] for name in FREE_FEATURES[:7]] == pytest.approx(entropies)
    assert found["question_words"] == pytest.approx(np.log(4))
    assert found["question_characters"] == pytest.approx(np.log(14))
    assert found["answer_words"] == pytest.approx(np.log(6))
    assert found["answer_characters"] == pytest.approx(np.log(27))
    assert (found["asks_who"], found["asks_what"]) == (1, 0)
    # One of five words each.
    assert (found["answer_hedges"], found["answer_negations"]) == (0.2, 0.2)


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("What is it?", "what"),
        ("In which year did it end?", "what"),
        ("Whose is it?", "who"),
        ("Is it true when it rains?", "yes_no"),
        ("Don\u2019t cats fly?", "yes_no"),
        ("How and why?", "how"),
        ("Tell me.", None),
        ("\u4ec0\u4e48\uff1f", None),
        ("", None),
    ],
)
def test_a_question_asks_in_one_way_at_most(question: str, asks: str | None):
    found = named(question, "Yes.", [0.1])
    assert [name for name in FREE_FEATURES if name.startswith("asks_") and found[name]] == (
        [f"asks_{asks}"] if asks else []
    )


def test_contractions_are_negations():
    assert named("Is it?", "It isn\u2019t.", [0.1])["answer_negations"] == 0.5


@pytest.mark.parametrize("entropies", [[], [0.1, np.nan]])
def test_features_need_every_entropy(entropies):
    with pytest.raises(UndefinedStatisticError, match="finite entropies"):
        free_features("What?", "That.", entropies)


@pytest.fixture(scope="module")
def features(recorded) -> np.ndarray:
    rows = zip(recorded.questions, recorded.answers, recorded.entropies, strict=True)
    return np.array([free_features(*row) for row in rows])


def splits(fold: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(5)]


def test_the_auroc_is_scikit_learns_on_the_same_folds(features, recorded):
    found = pointer_model(features, recorded.incorrect, seed=3)
    generator = np.random.default_rng(3)
    folds = [fold for _ in range(10) for fold in splits(stratified_folds(recorded.incorrect, 5, generator))]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    known = cross_val_score(model, features, recorded.incorrect, cv=folds, scoring="roc_auc")
    assert found.auroc.value == pytest.approx(known.mean(), abs=1e-9)
    # One split of five alone lies further from that mean than another seed's ten do.
    by_split = known.reshape(10, 5).mean(axis=1)
    other = pointer_model(features, recorded.incorrect, seed=4).auroc.value
    assert abs(other - found.auroc.value) < np.abs(by_split - known.mean()).max()
    assert found.auroc.low < found.auroc.value < found.auroc.high
    assert (found.n, found.positives, found.components) == (401, 196, 0)


def test_coefficients_find_the_feature_that_matters():
    generator = np.random.default_rng(0)
    incorrect = generator.random(300) < 0.5
    features = generator.normal(size=(300, 20))
    features[:, 4] += 2 * incorrect
    found = pointer_model(features, incorrect)
    by_name = dict(zip(found.features, found.coefficients, strict=True))
    assert max(by_name, key=lambda name: abs(by_name[name])) == "entropy_median"
    assert found.auroc.low > 0.8


def test_embeddings_of_pure_noise_do_not_help_on_held_out_folds(features, recorded):
    noise = np.random.default_rng(0).normal(size=(recorded.incorrect.size, 128))
    found = pointer_model(features, recorded.incorrect, noise)
    assert found.components == 64
    assert len(found.coefficients) == 20
    assert found.auroc.low < 0.6


def test_few_questions_have_fewer_components():
    generator = np.random.default_rng(0)
    found = pointer_model(generator.normal(size=(30, 20)), np.arange(30) % 2, generator.normal(size=(30, 100)))
    # 29 of all 30 questions.
    assert found.components == 29


def test_a_constant_feature_is_no_error():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(40, 20))
    features[:, 12] = 0
    assert pointer_model(features, np.arange(40) % 2).coefficients[12] == pytest.approx(0)


@pytest.mark.parametrize(
    ("features", "labels", "reason"),
    [
        (np.zeros((8, 20)), np.arange(8) % 2, "`4` incorrect"),
        (np.zeros((40, 20)), np.ones(40), "`0` correct"),
        (np.full((40, 20), np.nan), np.arange(40) % 2, "NaN"),
    ],
)
def test_what_cannot_be_fitted_says_why(features, labels, reason: str):
    with pytest.raises(UndefinedStatisticError, match=reason):
        pointer_model(features, labels)
