"""Which questions and answers stand on which lines."""

from homogaudit.tui.answer_slots import Block, BlockPlan
from homogaudit.tui.live_state import AnswerGroup, LiveAnswer


def group(*answers: tuple[int, str], position: int = 0, is_scored: bool = False) -> AnswerGroup:
    found = tuple(LiveAnswer(index, "x", state) for index, state in answers)
    return AnswerGroup(f"q{position}", position, "Why?", found, is_scored)


def shown(blocks: list[Block]) -> list[tuple[int, list[int]]]:
    return [(block.group.position, [x.sample_index for x in block.answers]) for block in blocks]


def test_every_answer_stands_under_its_own_question_and_the_first_question_comes_first():
    groups = [
        group((0, "drawing"), (1, "valid")),
        group((0, "drawing"), position=1),
        group((0, "drawing"), position=2),
    ]
    assert shown(BlockPlan().place(groups, 5)) == [(0, [0, 1]), (1, [0])]
    assert shown(BlockPlan().place(groups, 7)) == [(0, [0, 1]), (1, [0]), (2, [0])]


def test_a_scored_question_stays_until_four_more_answers_are_finished():
    plan = BlockPlan()
    writing = [(index, "drawing") for index in range(5)]
    plan.place([group((0, "valid")), group(*writing, position=1)], 2)
    scored = group((0, "valid"), is_scored=True)
    for finished in range(4):
        others = [(index, "valid" if index < finished else "drawing") for index in range(5)]
        assert shown(plan.place([scored, group(*others, position=1)], 2))[0][0] == 0
    others = [(index, "valid" if index < 4 else "drawing") for index in range(5)]
    assert shown(plan.place([scored, group(*others, position=1)], 2)) == [(1, [4])]


def test_once_nothing_is_drawn_the_question_scored_last_is_shown():
    groups = [group((0, "valid"), position=position, is_scored=True) for position in range(3)]
    assert shown(BlockPlan().place(groups, 4)) == [(2, [0]), (1, [0])]


def test_an_answer_keeps_its_line_while_others_come_and_finish():
    plan = BlockPlan()
    assert shown(plan.place([group((0, "drawing"), (1, "drawing"))], 3)) == [(0, [0, 1])]
    assert shown(plan.place([group((0, "valid"), (1, "drawing"), (2, "drawing"))], 3)) == [(0, [2, 1])]


def test_the_answer_that_finished_first_makes_room_first():
    plan = BlockPlan()
    plan.place([group((0, "drawing"), (1, "drawing"), (2, "drawing"))], 3)
    plan.place([group((0, "drawing"), (1, "valid"), (2, "drawing"))], 3)
    placed = plan.place([group((0, "valid"), (1, "valid"), (2, "drawing"))], 3)
    assert shown(placed) == [(0, [0, 2])]


def test_nothing_that_is_being_written_is_pushed_away():
    plan = BlockPlan()
    writing = group(*((index, "drawing") for index in range(5)))
    assert shown(plan.place([writing], 4)) == [(0, [0, 1, 2])]
    assert shown(plan.place([writing], 4)) == [(0, [0, 1, 2])]


def test_fewer_lines_keep_what_is_being_written():
    plan = BlockPlan()
    answers = group((0, "valid"), (1, "drawing"), (2, "valid"), (3, "drawing"))
    plan.place([answers], 5)
    assert shown(plan.place([answers], 3)) == [(0, [1, 3])]


def test_no_room_is_no_error():
    assert BlockPlan().place([group((0, "drawing"))], 0) == []
