from homogaudit.comparison.pairing import pair_runs
from homogaudit.comparison.questions import compared_questions

from .conftest import Told, many, one


def test_questions_stand_side_by_side_the_flipped_ones_first(make):
    base = [Told(one(), "correct"), Told(many(), "correct"), Told(one(), "correct"), Told(many(), "incorrect")]
    aligned = [Told(one(), "correct"), Told(one(), "incorrect"), Told(many(), "correct"), Told(many(), "incorrect")]
    found = compared_questions(pair_runs([make("base", base), make("aligned", aligned)]))
    assert [x.question.id for x in found] == ["q1", "q2", "q0", "q3"]
    assert [x.flipped["aligned"] for x in found] == ["to_one", "from_one", "", ""]
    assert [x.has_other_labels for x in found] == [True, False, False, False]
    first = found[0]
    assert [len(own.clusters) for own in first.runs.values()] == [4, 1]
    assert [own.is_single for own in first.runs.values()] == [False, True]
    assert first.runs["aligned"].clusters[0].answer == "same answer"
