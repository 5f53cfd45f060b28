"""Measures the question table over a large imported run: time to the first rows, and the worst frame while it is used.

Run by hand: `python tests/tui/measure_large_run.py [QUESTIONS]`. A frame takes no longer than the longest stretch in
which the event loop runs one callback; on a machine that does other work, the computing part of it tells more.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from homogaudit.clustering.methods import cluster_question
from homogaudit.questions.thinking import split_thinking
from homogaudit.records import ClusteringMethod, Prompting
from homogaudit.store.recorded import read_recorded, write_run
from homogaudit.store.run_file import RunFile
from homogaudit.tui.question_table import QuestionTable
from homogaudit.tui.screens.questions import QuestionsScreen

METHOD = ClusteringMethod("jaccard", "single", 0.4)
ANSWERS = ("It is a myth.", "Yes, this is well known.", "Nobody knows that for sure.", "It depends on the country.")


def make_recorded(path: Path, questions: int) -> None:
    """Write recorded answers: three samples, a greedy answer, a label and a signal a question."""
    random_state = random.Random(5)
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"format": "homogaudit.recorded", "version": 1, "model": "recorded-model"}) + "\n")
        for number in range(questions):
            kinds = random_state.sample(ANSWERS, random_state.randint(1, 3))
            line = {
                "id": f"q{number:05d}",
                "question": f"What is it that people say about number {random_state.randrange(10**6)}, and is it true?",
                "category": f"category {number % 37}",
                "greedy": {"text": kinds[0]},
                "samples": [{"text": random_state.choice(kinds)} for _ in range(3)],
                "label": random_state.choice(("correct", "incorrect", "no_match")),
                "signals": {"token_entropy_mean": random_state.random()},
            }
            file.write(json.dumps(line) + "\n")


def make_run(folder: Path, questions: int) -> Path:
    """Import them, clustered by wording; the signals that take minutes are left out."""
    source, path = folder / "recorded.jsonl", folder / "large.audit"
    make_recorded(source, questions)
    recorded = read_recorded(source, parse_answer=lambda text: split_thinking(text, Prompting(), False))
    with write_run(recorded, path) as run, run.transaction():
        run.add_clusterings(
            clustering
            for sample_set in run.sample_sets(token_arrays=False)
            if (clustering := cluster_question(sample_set, METHOD)) is not None
        )
        for question in run.questions():
            run.mark_scored(question.id, "scored")
        run.set_meta("scoring", {"judge": "recorded", "methods": [asdict(METHOD)]})
        run.finish()
    return path


class TableApp(App[None]):
    """Opens the question screen at once."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_mount(self) -> None:
        self.push_screen(QuestionsScreen(self._path))


class Stretches:
    """How long each callback of the event loop ran: nothing is drawn and no key is taken meanwhile."""

    def __init__(self) -> None:
        self.wall = 0.0
        self.cpu = 0.0

    def install(self) -> None:
        """Time every callback from now on."""
        run: Callable[[asyncio.Handle], None] = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            wall, cpu = time.perf_counter(), time.thread_time()
            run(handle)
            self.cpu = max(self.cpu, time.thread_time() - cpu)
            self.wall = max(self.wall, time.perf_counter() - wall)

        asyncio.Handle._run = timed

    def take(self) -> str:
        """Return the longest so far, and begin anew."""
        text = f"longest stretch {1000 * self.wall:.0f} ms, {1000 * self.cpu:.0f} ms of them computing"
        self.wall = self.cpu = 0.0
        return text


STEPS: dict[str, list[str]] = {
    "line by line": ["down"] * 30 + ["up"] * 10,
    "pages": ["pagedown"] * 10 + ["pageup"] * 5,
    "to the ends": ["end", "home"],
    "sort by each column": ["o"] * 8 + ["r", "r"],
    "only one cluster, wrong": ["s", "w", "w", "s"],
    "search": ["slash", *"number 77", *["backspace"] * 9, "enter"],
}


async def measure(path: Path, size: tuple[int, int], stretches: Stretches) -> None:
    """Open the run and use the table."""
    started = time.perf_counter()
    app = TableApp(path)
    async with app.run_test(size=size) as pilot:
        await until_rows(app, pilot)
        print(f"{size[0]}x{size[1]}: first rows after {time.perf_counter() - started:.2f} s")
        print(f"  opening: {stretches.take()}")
        for name, keys in STEPS.items():
            for key in keys:
                await pilot.press(key)
            print(f"  {name}: {stretches.take()}")
        table = app.screen.query_one(QuestionTable)
        for _ in range(30):
            table.scroll_relative(y=3, animate=False)
            await pilot.pause()
        print(f"  wheel: {stretches.take()}")


async def until_rows(app: App[None], pilot: Pilot[None]) -> None:
    """Wait for the first rows to be drawn."""
    while not (isinstance(app.screen, QuestionsScreen) and app.screen.query_one(QuestionTable).current):
        await asyncio.sleep(0.005)
    await pilot.pause()


def main() -> None:
    """Print the figures for both sizes."""
    questions = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        path = make_run(Path(folder), questions)
        started = time.perf_counter()
        with RunFile.open(path) as run:
            print(f"{len(run):,} questions, {path.stat().st_size / 1e6:.1f} MB")
        print(f"opening the file alone: {time.perf_counter() - started:.2f} s")
        stretches = Stretches()
        stretches.install()
        for size in ((120, 36), (80, 24)):
            asyncio.run(measure(path, size, stretches))


if __name__ == "__main__":
    main()
