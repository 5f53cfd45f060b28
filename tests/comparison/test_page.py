from homogaudit.comparison.page import paired_question_data
from homogaudit.comparison.pairing import pair_runs

from .conftest import Told, many, one


def test_each_run_has_its_answers_by_cluster_its_label_and_what_flipped(make):
    first = make("base", [Told(one(), "correct"), Told(["a b", "c d", "a b", "e f"], "incorrect")])
    other = make("other", [Told(one(), "correct"), Told(["a b", "A b", "", "a b"], "correct")])
    found = paired_question_data(pair_runs([first, other], baseline=1))
    assert (found["runs"], found["baseline"]) == (["base", "other"], 1)
    assert found["filters"] == {"other_labels": {"title": "Changed label", "count": 1}}
    row = next(x for x in found["questions"] if x["id"] == "q1")
    assert (row["number"], row["text"], row["in"]) == (2, "Question 1?", ["other_labels"])
    base, second = row["runs"]
    assert base["clusters"] == [[["a b", 2]], [["c d", 1]], [["e f", 1]]]
    assert (base["label"], base["greedy"], base["outside"], base["flip"]) == ("incorrect", "greedy", "", "")
    # What came without an answer could have been another cluster: nothing flipped for sure.
    assert second["clusters"] == [[["a b", 2], ["A b", 1]]]
    assert second["without"] == [["", 1]]
    assert (second["label"], second["flip"]) == ("correct", "")
    assert second["outside"] == "enters no rate: 1 of 4 samples hold no answer"


def test_flipped_questions_come_first_and_keep_their_number(make):
    first = make("base", [Told(many()), Told(one()), Told(many())])
    other = make("other", [Told(many()), Told(many()), Told(one())])
    found = paired_question_data(pair_runs([first, other]))
    flipped = [(x["number"], x["in"], x["runs"][1]["flip"]) for x in found["questions"]]
    assert flipped == [(3, ["to_one"], "to_one"), (2, ["from_one"], "from_one"), (1, [], "")]
    assert {name: x["count"] for name, x in found["filters"].items()} == {"to_one": 1, "from_one": 1}
