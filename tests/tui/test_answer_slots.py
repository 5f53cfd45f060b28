"""Which answer stands on which line."""

from homogaudit.tui.answer_slots import SlotPlan
from homogaudit.tui.live_state import AnswerGroup, LiveAnswer


def group(*answers: tuple[int, str]) -> AnswerGroup:
    return AnswerGroup("q0", 0, "Why?", tuple(LiveAnswer(index, "x", state) for index, state in answers))


def indexes(placed: list[tuple[AnswerGroup, LiveAnswer] | None]) -> list[int | None]:
    return [None if x is None else x[1].sample_index for x in placed]


def test_an_answer_keeps_its_line_while_others_come_and_finish():
    plan = SlotPlan()
    assert indexes(plan.place([group((0, "drawing"), (1, "drawing"))], 3)) == [0, 1, None]
    assert indexes(plan.place([group((0, "valid"), (1, "drawing"), (2, "drawing"))], 3)) == [0, 1, 2]


def test_the_answer_that_finished_first_makes_room_first():
    plan = SlotPlan()
    plan.place([group((0, "drawing"), (1, "drawing"))], 2)
    plan.place([group((0, "drawing"), (1, "valid"))], 2)
    plan.place([group((0, "valid"), (1, "valid"))], 2)
    placed = plan.place([group((0, "valid"), (1, "valid"), (2, "drawing"))], 2)
    assert indexes(placed) == [0, 2]


def test_nothing_that_is_being_written_is_pushed_away():
    plan = SlotPlan()
    writing = group(*((index, "drawing") for index in range(5)))
    assert indexes(plan.place([writing], 3)) == [0, 1, 2]
    assert indexes(plan.place([writing], 3)) == [0, 1, 2]


def test_fewer_lines_keep_what_is_being_written():
    plan = SlotPlan()
    plan.place([group((0, "valid"), (1, "drawing"), (2, "valid"), (3, "drawing"))], 4)
    assert indexes(plan.place([group((0, "valid"), (1, "drawing"), (2, "valid"), (3, "drawing"))], 2)) == [1, 3]


def test_no_line_is_no_error():
    assert SlotPlan().place([group((0, "drawing"))], 0) == []
