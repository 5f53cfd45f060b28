"""Questions that a person judges as a whole, one after the other; each answer is kept in a file as it is given."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import ProgressBar, Static

from homogaudit.errors import HomogauditError
from homogaudit.launch.cluster_labels import keep_labels, labels_begun, store_cluster_labels
from homogaudit.report.cluster_sample import SampledQuestion, sample_clusters
from homogaudit.report.run_data import read_run
from homogaudit.report.text import plain
from homogaudit.statistics.corrected_rate import FEWEST_LABELLED
from homogaudit.store import RunFile
from homogaudit.tui.frame import KeyLine, StatusLine
from homogaudit.tui.theme import MUTED


class LabelScreen(Screen[bool]):
    """Asks of each question of the sample whether all its answers mean the same; tells whether labels were stored."""

    HELP_TEXT = (
        "Questions of the run that you judge as a whole: whether all answers to one mean the same. Half of them are "
        "questions with one cluster, as far as there are enough, in an order that does not tell which. Every answer is "
        "kept at once in the file that the bottom names, and the next time it goes on from there. From 50 on, s stores "
        "them in the run, and the report corrects its rate by them; so does `homogaudit score RUN --label-clusters` "
        "with the file."
    )
    HELP_TERMS = ("corrected_rate", "sensitivity", "specificity")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "say(True)", "One meaning"),
        Binding("n", "say(False)", "Several"),
        Binding("u,backspace", "undo", "Undo"),
        Binding("s", "store", "Store"),
        Binding("escape", "close", "Back", show=False),
    ]
    AUTO_FOCUS = "#label-answers"
    DEFAULT_CSS = """
    LabelScreen {
        #label-progress { height: 1; padding: 0 1; margin-top: 1; }
        #label-progress Bar { width: 1fr; }
        #label-question { height: auto; max-height: 40%; padding: 1 1 0 1; text-style: bold; overflow-y: auto; }
        #label-answers { height: 1fr; padding: 1 1 0 1; scrollbar-size-vertical: 1; }
        #label-answers Static { height: auto; }
        #label-said { height: 2; padding: 0 1; background: $panel; }
    }
    """

    def __init__(self, run_path: Path) -> None:
        super().__init__()
        self._run = run_path
        self._sample: tuple[SampledQuestion, ...] = ()
        self._file: Path | None = None
        self._labels: dict[str, bool] = {}
        self._is_stored = False

    def compose(self) -> ComposeResult:
        """Lay out the parts."""
        yield StatusLine("Label by hand")
        yield ProgressBar(id="label-progress", show_eta=False, show_percentage=False)
        with VerticalScroll(id="label-question", can_focus=False):
            yield Static("Choosing the questions.", id="label-asked", markup=False)
        with VerticalScroll(id="label-answers"):
            yield Static(id="label-texts", markup=False)
        yield Static(id="label-said", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to read."""
        self._load()

    @work(exclusive=True, group="sample", exit_on_error=False)
    async def _load(self) -> None:
        try:
            self._sample, (self._file, self._labels) = await asyncio.to_thread(_begin, self._run)
        except HomogauditError as error:
            hint = f": {plain(error.hint)}" if error.hint else ""
            self.query_one("#label-asked", Static).update(plain(error.message) + hint)
            return
        self.query_one(ProgressBar).total = len(self._sample)
        self._show()

    @property
    def _current(self) -> SampledQuestion | None:
        return next((x for x in self._sample if x.id not in self._labels), None)

    def _show(self) -> None:
        """Show the first question that is not judged, and what is."""
        current, judged, total = self._current, len(self._labels), len(self._sample)
        self.query_one(ProgressBar).progress = judged
        asked, texts = self.query_one("#label-asked", Static), self.query_one("#label-texts", Static)
        if current is None:
            asked.update(f"All {total} questions are judged.")
            texts.update("s stores the labels in the run: the report corrects its rate by them.")
        else:
            asked.update(plain(current.question))
            texts.update(_answers(current))
        self.query_one("#label-answers").scroll_home(animate=False)
        one = sum(self._labels.values())
        said = f"{judged} of {total} judged: {one} one meaning, {judged - one} several"
        question = "Do all answers mean the same?" if current else "Nothing is left to judge."
        kept = f"kept in {plain(self._file.name)}" if self._file and judged else ""
        self.query_one("#label-said", Static).update(
            Content("\n").join([Content(question), Content.assemble((said, MUTED), "   ", (kept, MUTED))])
        )
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done now."""
        match action:
            case "say":
                return self._current is not None or None
            case "undo":
                return bool(self._labels) or None
            case "store":
                return len(self._labels) >= FEWEST_LABELLED or None
            case _:
                return True

    def action_say(self, one_meaning: bool) -> None:
        """Judge the question in front."""
        if (current := self._current) is not None and self._keep({**self._labels, current.id: one_meaning}):
            self._show()

    def action_undo(self) -> None:
        """Take the last label back, and show its question again."""
        if self._labels and self._keep(dict(list(self._labels.items())[:-1])):
            self._show()

    def _keep(self, labels: dict[str, bool]) -> bool:
        """Keep labels in the file; where it cannot be written, those before stand."""
        assert self._file is not None
        try:
            keep_labels(self._file, self._sample, labels)
        except HomogauditError as error:
            self.notify(plain(error.message), severity="error", markup=False)
            return False
        self._labels = labels
        return True

    @work(exclusive=True, group="store", exit_on_error=False)
    async def action_store(self) -> None:
        """Store the labels in the run, and go back to where its report is."""
        try:
            await asyncio.to_thread(store_cluster_labels, self._run, self._labels)
        except HomogauditError as error:
            self.notify(plain(error.message), severity="error", markup=False)
            return
        self.dismiss(True)

    def action_close(self) -> None:
        """Go back; what was judged is in the file."""
        self.dismiss(False)


def _begin(run_path: Path) -> tuple[tuple[SampledQuestion, ...], tuple[Path, dict[str, bool]]]:
    with RunFile.open(run_path) as run:
        sample = sample_clusters(read_run(run))
    return sample, labels_begun(run_path, sample)


def _answers(question: SampledQuestion) -> Content:
    """Return the answers in the order in which they were drawn, equal ones once with how often."""
    counts = Counter(question.answers)
    width = len(str(max(counts.values()))) + 1
    lines = [Content.assemble((f"{_times(times):>{width}} ", MUTED), plain(text)) for text, times in counts.items()]
    return Content("\n\n").join(lines)


def _times(times: int) -> str:
    return f"{times}\N{MULTIPLICATION SIGN}" if times > 1 else ""
