"""The report of a run: the short one first, then every section, each line to be copied and explained."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.message import Message

from homogaudit.errors import HomogauditError
from homogaudit.report.json import dumps
from homogaudit.report.layout import sections
from homogaudit.report.markdown import to_markdown
from homogaudit.report.records import Report, Verdict
from homogaudit.report.run_data import read_run
from homogaudit.report.section import Section
from homogaudit.report.summary import summary
from homogaudit.report.text import plain
from homogaudit.store import RunFile
from homogaudit.tui.export import Export, ExportScreen, write_export
from homogaudit.tui.question_rows import Filter
from homogaudit.tui.report_process import build_report
from homogaudit.tui.report_view import ReportView
from homogaudit.tui.screens.questions import QuestionsScreen
from homogaudit.tui.screens.sections import SectionsScreen

Build = Callable[[Path], Awaitable[Report]]


class ReportScreen(SectionsScreen):
    """The report of a run; building it takes seconds to minutes and can be cancelled."""

    HELP_TEXT = (
        "The audit's result: the short report, and below it every section. Up and down go from line to line, [ and ] "
        "from section to section. The bottom repeats what is under the cursor: x explains it, y copies it, Enter lists "
        "the questions of a line that ends in ⏎, and e writes the report to a file. l asks you about whole questions, "
        "by which the rate is corrected. r draws the rest of a run that was decided early or for the rate alone. Dots "
        "with a line are values with their 95% intervals; a hollow dot's interval holds a marked value. A dash is a "
        "figure that cannot be computed; the bottom says why."
    )
    NAME = "Report"
    BUILDING = "Building the report.\n\nIntervals come from thousands of resamplings: this takes a while."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "Export"),
        Binding("l", "label", "Label by hand", show=False),
        Binding("r", "app.draw_rest", "Draw the rest"),
    ]

    @dataclass
    class Built(Message):
        """The report of a run is there, of what its file held at a mark."""

        path: Path
        mark: str | None
        verdict: Verdict

    def __init__(self, run_path: Path, *, build: Build = build_report) -> None:
        super().__init__()
        self._path = run_path
        self._build_report = build
        self._built: Report | None = None

    async def build_sections(self) -> Sequence[Section]:
        """Return the short report and every section."""
        mark = await asyncio.to_thread(_mark, self._path)
        self._built = await self._build_report(self._path)
        self.post_message(self.Built(self._path, mark, self._built.verdict))
        return (summary(self._built), *sections(self._built))

    @on(ReportView.Opened)
    def _on_opened(self, event: ReportView.Opened) -> None:
        """List the questions over the report: Escape comes back to the sentence."""
        self.app.push_screen(QuestionsScreen(self._path, Filter.by(event.questions)))

    def action_label(self) -> None:
        """Ask about whole questions; the report is built anew where their labels are stored."""
        from homogaudit.tui.screens.label import LabelScreen

        self.app.push_screen(LabelScreen(self._path), self._after_labels)

    def _after_labels(self, is_stored: bool | None) -> None:
        if is_stored:
            self.notify("Stored: the report corrects its rate by the labels.")
            self.begin()

    def action_export(self) -> None:
        """Write the report to a file."""
        if self._built is None:
            self.notify("The report is still being built.", severity="warning")
            return
        self.app.push_screen(ExportScreen(self._path), self._export)

    def _export(self, export: Export | None) -> None:
        if export is not None:
            # Not before the dialogue is off the screen, which the picture shows.
            self.call_after_refresh(self._write, export)

    @work(group="export", exit_on_error=False)
    async def _write(self, export: Export) -> None:
        built = self._built
        if built is None:
            return
        try:
            if export.form == ".svg":
                text = self.app.export_screenshot(title=f"homogaudit report: {plain(self._path.name)}")
            elif export.form == ".html":
                text = await asyncio.to_thread(_page, self._path, built)
            else:
                text = dumps(built) + "\n" if export.form == ".json" else to_markdown(built)
            write_export(text, export)
        except HomogauditError as error:
            self.notify(plain(error.message), severity="error", markup=False)
            return
        self.notify(f"Written: {plain(str(export.path))}", markup=False)


def _mark(path: Path) -> str | None:
    with RunFile.open(path) as run:
        return run.mark


def _page(path: Path, report: Report) -> str:
    """Return the report as a page, with the questions of its run."""
    from homogaudit.report.html import run_page

    with RunFile.open(path) as run:
        return "".join(run_page(report, read_run(run)))
