"""The report of a run: the short one first, then every section, each line to be copied and explained."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from homogaudit.errors import HomogauditError
from homogaudit.report.glossary import lookup
from homogaudit.report.json import dumps
from homogaudit.report.layout import sections
from homogaudit.report.markdown import to_markdown
from homogaudit.report.records import Report
from homogaudit.report.run_data import read_run
from homogaudit.report.summary import summary
from homogaudit.report.text import plain, shorten
from homogaudit.store import RunFile
from homogaudit.tui.export import Export, ExportScreen, write_export
from homogaudit.tui.frame import KeyLine, StatusLine
from homogaudit.tui.question_rows import Filter
from homogaudit.tui.report_blocks import Stop
from homogaudit.tui.report_process import build_report
from homogaudit.tui.report_view import ReportView
from homogaudit.tui.screens.help import ExplainScreen
from homogaudit.tui.screens.questions import QuestionsScreen
from homogaudit.tui.theme import MUTED
from homogaudit.tui.widgets.choice_line import ChoiceLine

Build = Callable[[Path], Awaitable[Report]]


class ReportScreen(Screen[None]):
    """The report of a run; building it takes seconds to minutes and can be cancelled."""

    HELP_TEXT = (
        "The audit's result: the short report, and below it every section. Up and down go from line to line, [ and ] "
        "from section to section. The bottom repeats what is under the cursor: x explains it, y copies it, Enter "
        "lists the questions of a line that ends in ⏎, and e writes the report to a file. l asks you about whole "
        "questions, by which the rate is corrected. Dots with a line are values with their 95% intervals; a hollow "
        "dot's interval holds a marked value. A dash is a figure that cannot be computed; the bottom says why."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "explain", "Explain"),
        Binding("y", "copy", "Copy"),
        Binding("e", "export", "Export"),
        Binding("l", "label", "Label by hand", show=False),
    ]
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    ReportScreen {
        #anchors { padding: 0 1; }
        #building { height: 1fr; content-align: center middle; text-align: center; padding: 1 4; }
        #pointed { height: 2; padding: 0 1; background: $panel; }
    }
    """

    def __init__(self, run_path: Path, *, build: Build = build_report) -> None:
        super().__init__()
        self._path = run_path
        self._build = build
        self._built: Report | None = None

    def compose(self) -> ComposeResult:
        """Lay out the parts that every report has."""
        yield StatusLine("Report")
        anchors = ChoiceLine(id="anchors")
        anchors.can_focus = False
        yield anchors
        yield Static(
            "Building the report.\n\nIntervals come from thousands of resamplings: this takes a while. "
            "Other screens can be opened meanwhile.",
            id="building",
            markup=False,
        )
        yield ReportView(id="report")
        yield Static(id="pointed", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to build."""
        self._begin()

    def _begin(self) -> None:
        for shown in ("#report", "#pointed"):
            self.query_one(shown).display = False
        self.query_one("#building").display = True
        self._build_report()

    @work(exclusive=True, group="report", exit_on_error=False)
    async def _build_report(self) -> None:
        try:
            self._built = await self._build(self._path)
        except HomogauditError as error:
            hint = f"\n\n{plain(error.hint)}" if error.hint else ""
            self.query_one("#building", Static).update(f"{plain(error.message)}{hint}")
            return
        shown = (summary(self._built), *sections(self._built))
        view = self.query_one(ReportView)
        self.query_one("#building").display = False
        self.query_one("#pointed").display = view.display = True
        self.query_one(ChoiceLine).choices = tuple(section.key.replace("_", " ").capitalize() for section in shown)
        # Only once it is laid out does it know its width.
        view.call_after_refresh(view.show, shown)
        view.focus()

    @on(ReportView.Pointed)
    def _on_pointed(self, event: ReportView.Pointed) -> None:
        self.query_one(ChoiceLine).chosen = event.at.place[0]
        self._show_pointed(event.at)

    def on_resize(self) -> None:
        """The bottom is cut by hand, at its width."""
        current = self.query_one(ReportView).current
        if current is not None:
            self._show_pointed(current)

    def _show_pointed(self, stop: Stop) -> None:
        """Repeat what is under the cursor on two lines, after the term that explains it."""
        line = self.query_one("#pointed", Static)
        content = Content.assemble((f"{stop.term}  ", MUTED), (stop.shown or stop.text, stop.style or "$foreground"))
        first, *rest = content.wrap(max(self.size.width - 2, 8)) or [Content()]
        more = Content.styled(" …", "bold") if len(rest) > 1 else Content()
        second = rest[0].truncate(max(self.size.width - 4, 4)) if more.plain else (rest or [Content()])[0]
        line.update(Content("\n").join([first, second + more]))

    @on(ChoiceLine.Changed)
    def _on_anchor(self, event: ChoiceLine.Changed) -> None:
        self.query_one(ReportView).go_to(event.chosen)

    @on(ReportView.Opened)
    def _on_opened(self, event: ReportView.Opened) -> None:
        """List the questions over the report: Escape comes back to the sentence."""
        self.app.push_screen(QuestionsScreen(self._path, Filter.by(event.questions)))

    def action_explain(self) -> None:
        """Say what is under the cursor."""
        current = self.query_one(ReportView).current
        if current is None:
            return
        try:
            self.app.push_screen(ExplainScreen(lookup(current.term)))
        except HomogauditError as error:
            self.notify(plain(error.message), severity="warning", markup=False)

    def action_copy(self) -> None:
        """Copy what is under the cursor."""
        current = self.query_one(ReportView).current
        if current is not None:
            self.app.copy_to_clipboard(current.text)
            self.notify(f"Copied: {shorten(current.text, 60)}", markup=False, timeout=2)

    def action_label(self) -> None:
        """Ask about whole questions; the report is built anew where their labels are stored."""
        from homogaudit.tui.screens.label import LabelScreen

        self.app.push_screen(LabelScreen(self._path), self._after_labels)

    def _after_labels(self, is_stored: bool | None) -> None:
        if is_stored:
            self.notify("Stored: the report corrects its rate by the labels.")
            self._begin()

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


def _page(path: Path, report: Report) -> str:
    """Return the report as a page, with the questions of its run."""
    from homogaudit.report.html import run_page

    with RunFile.open(path) as run:
        return run_page(report, read_run(run))
