import pytest

from homogaudit.labels.verdict import Verdict
from homogaudit.records import LabelValue
from homogaudit.tui.question_view import DrawView
from homogaudit.tui.theme import DARK_PALETTE
from homogaudit.tui.widgets.cluster_list import AnswerGroup, draw_cluster_list


def answer(text: str, *states: str) -> DrawView:
    return DrawView(text, states, True)


PARIS = answer("Paris.")
GROUPS = [
    AnswerGroup(0, 0.75, 4, (PARIS, answer("It is Paris, of course.", "truncated"), PARIS)),
    AnswerGroup(1, 0.25, 4, (answer("[bold]Rome[/]\x1b[31m \U0001f389"),)),
    AnswerGroup(None, 0.0, 0, (answer("", "empty"),)),
]


def lines(groups: list[AnswerGroup], width: int = 60, *, full: bool = False) -> list[str]:
    return draw_cluster_list(groups, width, DARK_PALETTE, full=full).plain.split("\n")


def test_a_group_has_letter_size_share_and_its_answers() -> None:
    shown = lines(GROUPS)
    assert shown[0].startswith("▎ A   3 of 4   75.0%  ━")
    assert shown[1] == "▎ 2x Paris."
    assert shown[2] == "▎  · It is Paris, of course."
    assert shown[3].strip("▎ ") == "⋯ truncated"
    assert shown[5].startswith("▎ B   1 of 4   25.0%")


def test_a_labelled_answer_says_why_within_the_width() -> None:
    verdict = Verdict(LabelValue.INCORRECT, "holds `[b]Rome[/]`, which is an incorrect answer")
    rome = DrawView("Rome.", ("valid",), True, verdict)
    shown = lines([AnswerGroup(0, 1.0, 2, (rome, rome))], 40)
    assert shown[1] == "▎ 2x Rome."
    said = " ".join(line.strip("▎ ") for line in shown[2:])
    assert said.endswith("incorrect: holds `[b]Rome[/]`, which is an incorrect answer")
    assert max(map(len, shown)) <= 40


def test_answers_are_text_and_no_markup() -> None:
    assert "▎  · [bold]Rome[/] \U0001f389" in lines(GROUPS)


def test_answers_without_a_cluster_stand_apart_with_their_state() -> None:
    shown = lines(GROUPS)
    place = shown.index("▎in no cluster: 1")
    assert "(nothing)" in shown[place + 1]
    assert "∅ empty" in shown[place + 2]


def test_long_answers_are_short_until_they_are_asked_for() -> None:
    group = [AnswerGroup(0, 1.0, 1, (answer("x" * 10_000),))]
    short, whole = lines(group), lines(group, full=True)
    assert "9,600 more characters" in short[-1]
    assert sum(line.count("x") for line in short[:-1]) == 400
    assert sum(line.count("x") for line in whole) == 10_000


@pytest.mark.parametrize("width", [1, 8, 20, 200])
def test_no_width_is_too_small(width: int) -> None:
    shown = lines(GROUPS, width)
    assert shown
    if width >= 20:
        assert max(map(len, shown)) <= width


def test_without_groups_it_says_why() -> None:
    assert draw_cluster_list([], 40, DARK_PALETTE, empty="no samples are stored").plain == "no samples are stored"
