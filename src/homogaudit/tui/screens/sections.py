"""A screen of sections, built in the background: the base of the report and of the comparison."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from homogaudit.errors import HomogauditError
from homogaudit.report.glossary import lookup
from homogaudit.report.section import Section
from homogaudit.report.text import plain, shorten
from homogaudit.tui.frame import KeyLine, StatusLine
from homogaudit.tui.report_blocks import Stop
from homogaudit.tui.report_view import ReportView
from homogaudit.tui.screens.help import ExplainScreen
from homogaudit.tui.theme import MUTED
from homogaudit.tui.widgets.choice_line import ChoiceLine


class SectionsScreen(Screen[None]):
    """Sections with a cursor, each line to be copied and explained; building them can be cancelled.

    A subclass names itself and has `build_sections`.
    """

    NAME: ClassVar[str] = ""
    BUILDING: ClassVar[str] = ""
    """What is told until there is something to show."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "explain", "Explain"),
        Binding("y", "copy", "Copy"),
    ]
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    SectionsScreen {
        #anchors { padding: 0 1; }
        #building { height: 1fr; content-align: center middle; text-align: center; padding: 1 4; }
        #pointed { height: 2; padding: 0 1; background: $panel; }
    }
    """

    async def build_sections(self) -> Sequence[Section]:
        """Return what is shown.

        Raises:
            HomogauditError: There is nothing to show; its line is shown instead.
        """
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Lay out the parts that every such screen has."""
        yield StatusLine(self.NAME)
        anchors = ChoiceLine(id="anchors")
        anchors.can_focus = False
        yield anchors
        yield Static(f"{self.BUILDING} Other screens can be opened meanwhile.", id="building", markup=False)
        yield ReportView(id="report")
        yield Static(id="pointed", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to build."""
        self.begin()

    def begin(self) -> None:
        """Build what is shown, anew where something is shown already."""
        for shown in ("#report", "#pointed"):
            self.query_one(shown).display = False
        self.query_one("#building").display = True
        self._build()

    @work(exclusive=True, group="sections", exit_on_error=False)
    async def _build(self) -> None:
        try:
            shown = await self.build_sections()
        except HomogauditError as error:
            hint = f"\n\n{plain(error.hint)}" if error.hint else ""
            self.query_one("#building", Static).update(f"{plain(error.message)}{hint}")
            return
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
