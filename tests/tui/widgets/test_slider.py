import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from homogaudit.tui.widgets.choice_line import ChoiceLine, draw_choices
from homogaudit.tui.widgets.slider import Slider, SliderMark, draw_slider


class SliderApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[float] = []
        self.chosen: list[int] = []

    def compose(self) -> ComposeResult:
        yield Slider(0.85, low=0.5, high=1.0, marks=[SliderMark(0.85, "run")])
        yield ChoiceLine(["jaccard", "embedding"])

    def on_slider_changed(self, message: Slider.Changed) -> None:
        self.heard.append(round(message.value, 6))

    def on_choice_line_changed(self, message: ChoiceLine.Changed) -> None:
        self.chosen.append(message.chosen)


def drive(steps: Callable[[SliderApp, Pilot[None]], Awaitable[None]]) -> None:
    async def run() -> None:
        app = SliderApp()
        async with app.run_test(size=(60, 6)) as pilot:
            await steps(app, pilot)

    asyncio.run(run())


def test_keys_move_by_steps_and_big_steps_and_to_the_ends() -> None:
    async def steps(app: SliderApp, pilot: Pilot[None]) -> None:
        app.query_one(Slider).focus()
        await pilot.press("left", "right", "shift+left", "right_square_bracket", "home", "end", "end")
        assert app.heard == [0.84, 0.85, 0.75, 0.85, 0.5, 1.0]

    drive(steps)


def test_the_mouse_puts_and_drags_the_handle() -> None:
    async def steps(app: SliderApp, pilot: Pilot[None]) -> None:
        # Five cells of numbers at both ends: the track is cells 5 to 54.
        await pilot.mouse_down(Slider, offset=(5, 0))
        await pilot.hover(Slider, offset=(54, 0))
        await pilot.mouse_up(Slider, offset=(54, 0))
        await pilot.hover(Slider, offset=(20, 0))
        assert app.heard == [0.5, 1.0]

    drive(steps)


def test_a_value_set_by_code_sends_no_message_and_stays_in_range() -> None:
    async def steps(app: SliderApp, pilot: Pilot[None]) -> None:
        slider = app.query_one(Slider)
        slider.value = 7.0
        await pilot.pause()
        assert slider.value == 1.0
        assert app.heard == []

    drive(steps)


def test_a_name_is_chosen_by_keys_and_by_the_mouse() -> None:
    async def steps(app: SliderApp, pilot: Pilot[None]) -> None:
        app.query_one(ChoiceLine).focus()
        await pilot.press("right", "right")
        await pilot.click(ChoiceLine, offset=(14, 0))
        assert app.chosen == [1, 0, 1]

    drive(steps)


def test_the_chosen_name_shows_without_colour() -> None:
    assert draw_choices(["jaccard", "embedding"], 1, 40).plain.rstrip() == " jaccard   ▐embedding▌"


def test_of_more_names_than_there_is_room_for_the_chosen_one_is_in_sight() -> None:
    names = [f"section {number}" for number in range(16)]
    for chosen, name in enumerate(names):
        line = draw_choices(names, chosen, 40).plain
        assert f"▐{name}▌" in line
        assert (line.startswith("◂"), line.endswith("▸")) == (chosen > 1, chosen < 14)


def test_a_click_takes_the_name_under_the_mouse_where_some_are_out_of_sight() -> None:
    async def steps(app: SliderApp, pilot: Pilot[None]) -> None:
        line = app.query_one(ChoiceLine)
        line.choices = tuple(f"section {number}" for number in range(16))
        line.chosen = 8
        await pilot.pause()
        place = line.render().plain.index("section 9")
        await pilot.click(ChoiceLine, offset=(place, 0))
        assert app.chosen == [9]

    drive(steps)


def test_marks_stand_on_the_track_with_their_labels() -> None:
    marks = [SliderMark(0.6, "one cluster"), SliderMark(0.85, "run")]
    track, labels = draw_slider(0.7, 0.5, 1.0, marks, 70, 2).plain.split("\n")
    assert track.startswith("0.50 ━")
    assert track.count("┿") == 2
    assert track.index("●") == pytest.approx(5 + 0.4 * 59, abs=1)
    assert "one cluster 0.60" in labels
    assert "run 0.85" in labels


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (10, 2), (20, 3)])
def test_no_size_is_too_small(size: tuple[int, int]) -> None:
    content = draw_slider(0.7, 0.0, 1.0, [SliderMark(0.5, "run")], *size)
    assert all(len(line) <= size[0] for line in content.plain.split("\n"))


def test_a_range_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no range"):
        Slider(low=1.0, high=1.0)
