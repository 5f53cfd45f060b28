import math

import numpy as np
import pytest

from homogaudit.clustering.answer_facts import answer_facts
from homogaudit.clustering.meaning import (
    FEATURES,
    TERMS,
    MeaningFit,
    fitted_embedders,
    meaning_similarity,
    pair_features,
    pair_terms,
    shipped_fit,
    together,
)

QUESTION = "How long does light from the Sun travel?"


def features(first: str, second: str, near: float = 0.5, near_alone: float = 0.4) -> dict[str, float]:
    facts = (answer_facts(QUESTION, text) for text in (first, second))
    return pair_features(*facts, near=near, near_alone=near_alone)


def test_the_features_of_a_pair_are_those_counted_by_hand() -> None:
    found = features("It takes eight minutes.", "Not 9 minutes for Einstein, I think.")
    # Words: it takes eight minutes / not minutes for einstein i think, one in common of nine.
    assert found["words"] == pytest.approx(1 / 9)
    # Content: tak, minut / minut, einstein, think.
    assert found["content"] == pytest.approx(1 / 4)
    assert found["shared"] == pytest.approx(1 / 2)
    assert (found["together"], found["alone"]) == (0.5, 0.4)
    assert (found["numbers_agree"], found["numbers_differ"], found["number_in_one"]) == (0, 1, 0)
    assert (found["names_agree"], found["names_differ"], found["name_in_one"]) == (0, 0, 1)
    assert (found["negation"], found["opposites"], found["each_adds"]) == (1, 0, 1)
    assert found["added_by_both"] == pytest.approx(math.log(2))
    assert found["length_ratio"] == pytest.approx(math.log(7 / 4))
    assert found["shorter"] == pytest.approx(math.log(4))


def test_features_and_terms_do_not_depend_on_the_order_of_the_answers() -> None:
    one, other = "It needs 8 minutes, says Newton.", "No, 500 seconds."
    assert features(one, other) == features(other, one)
    assert features(one, other).keys() == FEATURES.keys()
    assert tuple(pair_terms(features(one, other))) == TERMS


def test_a_term_with_a_star_is_the_product_of_two_features() -> None:
    found = features("It takes eight minutes.", "Not 9 minutes for Einstein, I think.")
    assert pair_terms(found)["shared*shorter"] == pytest.approx(0.5 * math.log(4))


def test_the_probability_is_logistic_in_the_weighted_terms() -> None:
    fit = MeaningFit(0.5, -1.0, {"together": 4.0, "each_adds*together": -2.0})
    found = features("It takes eight minutes.", "Not 9 minutes for Einstein, I think.")
    # -1 + 4 * 0.5 - 2 * 1 * 0.5 = 0
    assert fit.probability(found) == pytest.approx(0.5)
    certain = MeaningFit(0.5, 5000.0, {})
    assert certain.probability(found) == 1.0


def test_a_weight_without_a_term_is_refused() -> None:
    with pytest.raises(ValueError, match="taste"):
        MeaningFit(0.5, 0.0, {"taste": 1.0})


def test_the_key_names_the_weights_but_not_the_threshold() -> None:
    fit = MeaningFit(0.5, 0.0, {"together": 1.0})
    assert fit.key("mini#1") == MeaningFit(0.9, 0.0, {"together": 1.0}).key("mini#1")
    assert fit.key("mini#1") != MeaningFit(0.5, 0.0, {"together": 1.1}).key("mini#1")
    assert fit.key("mini#1") != fit.key("mini#2")


def test_similarities_are_symmetric_and_one_between_answers_that_are_the_same_text() -> None:
    answers = ["Eight minutes.", "Nine minutes.", "Eight minutes. ", "8 minutes"]
    random = np.random.default_rng(0)
    rows, alone = random.normal(size=(4, 8)), random.normal(size=(4, 8))
    found = meaning_similarity(QUESTION, answers, rows, alone, MeaningFit(0.5, -1.0, {"numbers_agree": 2.0}))
    assert np.array_equal(found, found.T)
    assert found[0, 2] == 1.0
    # Odds of -1 where the numbers differ, of 1 where they are equal.
    assert found[0, 1] == pytest.approx(1 / (1 + math.e))
    assert found[0, 3] == pytest.approx(1 / (1 + math.exp(-1)))


def test_a_model_is_found_by_the_files_of_its_embedder_and_not_by_their_name() -> None:
    (key,) = fitted_embedders()
    fit = shipped_fit(key)
    assert fit is not None and 0 < fit.threshold < 1
    assert shipped_fit("mini#" + key.partition("#")[2]) is fit
    assert shipped_fit("all-minilm-l6-v2#00000000") is None
    # A prompt or a revision gives other vectors.
    assert shipped_fit(key + "+query:") is None


def test_a_question_stands_before_its_answer() -> None:
    assert together(" Who? ", " Ada. ") == "Who? Ada."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It takes eight minutes.", "It takes eighty minutes."),
        ("Light needs 8 minutes.", "Light does not need 8 minutes."),
        ("It was measured by Newton.", "It was measured by Einstein."),
    ],
)
def test_what_contradicts_lowers_the_shipped_probability_of_two_near_answers(one: str, other: str) -> None:
    fit = shipped_fit(fitted_embedders()[0])
    assert fit is not None
    near = {"near": 0.97, "near_alone": 0.93}
    assert fit.probability(features(one, other, **near)) < fit.threshold


def test_two_answers_that_both_say_yes_agree_and_a_yes_and_a_no_differ() -> None:
    question = "Can reindeer fly?"
    texts = {"yes": "Yes, reindeer can fly.", "also": "They can indeed.", "no": "No, they cannot."}
    facts = {name: answer_facts(question, text) for name, text in texts.items()}

    def stances(first: str, second: str) -> tuple[float, float]:
        found = pair_features(facts[first], facts[second], near=0.9, near_alone=0.8)
        return found["stances_agree"], found["stances_differ"]

    assert stances("yes", "also") == (1, 0)
    assert stances("yes", "no") == stances("no", "also") == (0, 1)
    # Where the question asks for no yes or no, there is nothing to agree on.
    assert features("It takes eight minutes.", "Eight minutes.")["stances_agree"] == 0
