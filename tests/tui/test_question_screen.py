import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from textual.app import App
from textual.pilot import Pilot

from homogaudit import tui
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
from homogaudit.store import RunFile
from homogaudit.tui.app_themes import DARK, LIGHT
from homogaudit.tui.screens.question import QuestionScreen
from homogaudit.tui.widgets.choice_line import ChoiceLine
from homogaudit.tui.widgets.cluster_list import ClusterList
from homogaudit.tui.widgets.heat_map import HeatMap
from homogaudit.tui.widgets.signal_table import SignalTable
from homogaudit.tui.widgets.slider import Slider
from homogaudit.tui.widgets.token_strip import TokenStrip

EMBEDDER = "tiny#1"
EMBEDDING = ClusteringMethod("embedding", "average", 0.85, EMBEDDER)
JACCARD = ClusteringMethod("jaccard", "single", 0.40)
NASTY = "[bold red]\x1b[31mred\x1b]0;title\x07 \u202eabc \U0001f469\u200d\U0001f52c \u05e9\u05dc\u05d5\u05dd [/nothing"
SIZES = [(120, 36), (80, 24)]

Steps = Callable[[QuestionScreen, Pilot[None]], Awaitable[None]]


class OneScreen(App[None]):
    # The application's own rules, which apply to all screens, must leave this one whole.
    CSS_PATH = Path(tui.__file__).with_name("app.tcss")

    def __init__(self, path: Path, question_id: str, *, light: bool) -> None:
        super().__init__()
        self.question_screen = QuestionScreen(path, question_id)
        self._light = light

    def on_mount(self) -> None:
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = LIGHT.name if self._light else DARK.name
        self.push_screen(self.question_screen)


def drive(
    path: Path, question_id: str, steps: Steps, size: tuple[int, int] = (120, 36), *, light: bool = False
) -> None:
    async def run() -> None:
        app = OneScreen(path, question_id, light=light)
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            await steps(app.question_screen, pilot)

    asyncio.run(run())


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the workers are done and what they found is on the screen."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.pause()


def shown(screen: QuestionScreen, selector: str) -> str:
    widget = screen.query_one(selector)
    rendered = widget.render()
    return rendered.plain if hasattr(rendered, "plain") else str(rendered)


@pytest.fixture
def path(make_run: Callable[..., RunFile]) -> Path:
    questions = [
        Question("q0", "Where is the Louvre?", "places", ("Paris",), ("Rome",)),
        Question("q1", NASTY),
        Question("q2", "Nothing was drawn."),
    ]
    run = make_run(questions, decoding={"samples": 4, "greedy_max_tokens": 10})
    statistics = TokenStatistics(np.array([7, 8], dtype=np.int32), np.array([0.5, 1.5], dtype=np.float32))
    greedy = Generation("q0", GREEDY, "Paris!", "Paris!", GenerationState.VALID, "stop", 2, statistics)
    run.add_generation(greedy, pieces={7: b"Par", 8: b"is!"})
    answers = {"q0": ["Paris", "Paris it is", "Rome", "Paris"], "q1": [NASTY, "x" * 10_000, NASTY, "word " * 500]}
    for question_id, texts in answers.items():
        for index, text in enumerate(texts):
            run.add_generation(Generation(question_id, index, text, text, GenerationState.VALID, "stop"))
    angles = {"Paris": 0.0, "Paris it is": 0.6, "Rome": 1.5, NASTY: 0.0, "x" * 10_000: 1.0, "word " * 500: 2.0}
    run.add_embeddings(
        EMBEDDER, {text: np.array([np.cos(a), np.sin(a)], dtype=np.float32) for text, a in angles.items()}
    )
    run.add_clusterings([Clustering(question_id, EMBEDDING, (0, 1, 2, 0)) for question_id in answers])
    run.add_clusterings([Clustering(question_id, JACCARD, (0, 1, 2, 0)) for question_id in answers])
    run.add_labels([Label("q0", "overlap", LabelValue.CORRECT, "overlap 1.000 with the correct answers")])
    run.add_signals([SignalValue("q0", "token_entropy_mean", 1.0), SignalValue("q1", "token_entropy_mean", 2.0)])
    run.set_meta("status", "complete")
    run.close()
    return run.path


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("light", [False, True])
def test_a_question_shows_all_that_is_known_of_it(path: Path, size: tuple[int, int], light: bool) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        heading = shown(screen, "#question-heading")
        assert "Where is the Louvre?" in heading
        assert "question 1 of 3" in heading
        assert "✓ correct by overlap" in heading
        assert "3 clusters of 4 answers" in shown(screen, "#question-numbers")
        assert screen.query_one("#question-numbers").size.height == 3
        assert "2x Paris" in shown(screen, "#question-groups")
        assert shown(screen, "#question-tokens").startswith("Paris!")
        assert "overlap 1.000 with the correct answers" in shown(screen, "#question-references")
        assert "✗ Rome" in shown(screen, "#question-references")
        assert "token_entropy_mean  1.000     2 of 2" in shown(screen, "#question-values")
        assert screen.query_one(HeatMap).data is not None

    drive(path, "q0", steps, size, light=light)


def test_the_slider_clusters_again_at_once(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        # cos 0.6 = 0.825 joins both answers on Paris below it.
        await pilot.press("left", "left", "left")
        assert screen.query_one(Slider).value == pytest.approx(0.82)
        assert "2 clusters of 4 answers at 0.820" in shown(screen, "#question-numbers")
        assert [len(group.answers) for group in screen.query_one(ClusterList).groups] == [3, 1]
        await pilot.press("home")
        assert "1 cluster of 4 answers" in shown(screen, "#question-numbers")
        await pilot.press("t")
        assert "3 clusters of 4 answers at 0.850" in shown(screen, "#question-numbers")

    drive(path, "q0", steps)


def test_where_the_question_stops_being_one_cluster_is_said_and_true(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        # Mean cosine between Rome and the other three: (2 cos 1.5 + cos 0.9) / 3 = 0.254.
        assert "one cluster up to 0.254, so not at the run's 0.850" in shown(screen, "#question-numbers")

    drive(path, "q0", steps)


def test_methods_are_changed_by_key(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        methods = screen.query_one(ChoiceLine)
        assert methods.choices[methods.chosen] == "embedding"
        await pilot.press("m")
        assert methods.choices[methods.chosen] == "jaccard"
        assert "single linkage" in shown(screen, "#question-numbers")

    drive(path, "q0", steps)


def test_next_and_previous_stop_at_the_ends(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        for key, heading in (("p", "1 of 3"), ("n", "2 of 3"), ("n", "3 of 3"), ("n", "3 of 3"), ("p", "2 of 3")):
            await pilot.press(key)
            await settled(pilot)
            assert f"question {heading}" in shown(screen, "#question-heading")

    drive(path, "q0", steps)


def test_what_is_missing_is_said_with_its_reason(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        assert shown(screen, "#question-numbers") == "no clusters: no samples are stored"
        assert shown(screen, "#question-references").startswith("no greedy answer is stored")
        assert "no value is stored" in shown(screen, "#question-values")
        assert not screen.query_one(Slider).display
        assert not screen.query_one(TokenStrip).display
        # Coming back, everything is there again.
        await pilot.press("p", "p")
        await settled(pilot)
        assert screen.query_one(Slider).display

    drive(path, "q2", steps)


@pytest.mark.parametrize("size", [*SIZES, (40, 10), (20, 5)])
def test_answers_of_others_are_text(path: Path, size: tuple[int, int]) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        assert shown(screen, "#question-heading").startswith("[bold red]red abc")
        assert "9,600 more characters" in shown(screen, "#question-groups") or size[0] < 80
        await pilot.press("x", "pagedown", "pagedown", "tab", "end")
        await pilot.pause()
        assert "more characters" not in shown(screen, "#question-groups")
        text = screen.app.export_screenshot()
        assert "\x1b" not in text
        assert "\u202e" not in text

    drive(path, "q1", steps, size)


def test_everything_is_reached_by_keys_on_a_small_screen(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        table = screen.query_one(SignalTable)
        assert table.region.y > 24
        for _ in range(12):
            await pilot.press("pagedown")
        await pilot.pause()
        assert table.region.bottom <= 24

    drive(path, "q0", steps, (80, 24))


def test_a_resize_in_the_middle_changes_the_layout(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        assert screen.query_one("#question-signals").region.x > 60
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert screen.query_one("#question-signals").region.x == 0
        assert "Where is the Louvre?" in shown(screen, "#question-heading")

    drive(path, "q0", steps)


def test_the_figures_follow_a_change_of_theme(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        groups = screen.query_one(ClusterList)
        before = groups.render().spans
        screen.app.theme = LIGHT.name
        await pilot.pause()
        await pilot.pause()
        assert groups.render().spans != before

    drive(path, "q0", steps)


def test_without_colour_everything_is_still_drawn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        # 0.5 and 1.5 nats on a scale to 1.5: bars of a third and of full height under the two tokens.
        assert shown(screen, "#question-tokens").split("\n")[1].rstrip() == "▃▃▃███"
        assert "█" in shown(screen, "#question-similarity")

    drive(path, "q0", steps)


def test_the_answers_can_be_selected_and_copied(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        screen.query_one(ClusterList).text_select_all()
        await pilot.pause()
        assert "Paris it is" in (screen.get_selected_text() or "")

    drive(path, "q0", steps)


def test_a_run_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        assert "no run file at" in shown(screen, "#question-heading")
        await pilot.press("n", "m", "t", "x", "left")

    drive(tmp_path / "gone.audit", "q0", steps)


def test_escape_goes_back(path: Path) -> None:
    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        await pilot.press("escape")
        await pilot.pause()
        assert screen.app.screen is not screen

    drive(path, "q0", steps)


def test_many_answers_are_clustered_off_the_event_loop(make_run: Callable[..., RunFile]) -> None:
    run = make_run([Question("q0", "Many?")], name="many.audit", decoding={"samples": 60})
    for index in range(60):
        text = f"answer number {index % 30} of many"
        run.add_generation(Generation("q0", index, text, text, GenerationState.VALID, "stop"))
    run.add_clusterings([Clustering("q0", JACCARD, tuple(range(30)) * 2)])
    run.close()

    async def steps(screen: QuestionScreen, pilot: Pilot[None]) -> None:
        assert "30 clusters of 60 answers" in shown(screen, "#question-numbers")
        await pilot.press("home")
        await settled(pilot)
        assert "1 cluster of 60 answers" in shown(screen, "#question-numbers")

    drive(run.path, "q0", steps)
