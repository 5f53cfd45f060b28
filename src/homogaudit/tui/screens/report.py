"""The report of a run: what spoils it first, then the verdict and its figures, each to be copied and explained."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.events import Click
from textual.geometry import Region
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

from homogaudit.errors import HomogauditError
from homogaudit.report.glossary import lookup
from homogaudit.report.markdown import to_markdown
from homogaudit.report.numbers import MISSING
from homogaudit.report.text import plain, shorten
from homogaudit.tui.export import Export, ExportScreen, write_export
from homogaudit.tui.key_line import KeyLine
from homogaudit.tui.report_blocks import BlockFigure, block_figure
from homogaudit.tui.report_figures import Item, Section, report_sections
from homogaudit.tui.report_process import BuiltReport, build_report
from homogaudit.tui.screens.help import ExplainScreen
from homogaudit.tui.status_line import StatusLine
from homogaudit.tui.theme import MUTED

__all__ = ["ReportScreen"]

Build = Callable[[Path, bool], Awaitable[BuiltReport]]

_ANCHORS = {
    "validity": "Validity",
    "verdict": "Verdict",
    "rates": "Rates",
    "sweeps": "Sweeps",
    "labels": "Labels",
    "selective": "Answering",
    "signals": "Signals",
    "cascade": "Cascade",
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the cursor stands: a section, a block of it, an item of that."""

    section: str
    block: int
    item: int


async def _build(path: Path, full: bool) -> BuiltReport:
    return await build_report(path, full=full)


class ReportScreen(Screen[None]):
    """The report of a run.

    Args:
        run_path: The run file.
        build: Builds the report, in short or in full; takes seconds to minutes and can be cancelled.
    """

    HELP_TEXT = (
        "The audit's result. Up and down go from figure to figure, [ and ] from section to section. The line at the "
        "bottom repeats the figure under the cursor: x explains it, y copies it, e writes the report to a file. Dots "
        "with a line are values with their 95% intervals; a hollow dot's interval holds the value of chance. A dash "
        "is a figure that cannot be computed, with the reason."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "explain", "Explain"),
        Binding("y", "copy", "Copy"),
        Binding("e", "export", "Export"),
        Binding("left_square_bracket", "section(-1)", "Section", key_display="[", show=False),
        Binding("right_square_bracket", "section(1)", "Next section", key_display="]"),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home,g", "end(False)", "Top", show=False),
        Binding("end,G", "end(True)", "Bottom", show=False),
    ]
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    ReportScreen {
        #anchors { height: 1; padding: 0 1; }
        #report { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
        #columns, #top, #left, #right { height: auto; width: 100%; }
        #columns { layout: vertical; }
        .report-section {
            height: auto; border: round $border; border-title-color: $text-primary; border-title-style: bold;
            padding: 0 1; border-subtitle-color: $foreground 75%;
        }
        .report-section.-doubtful { border: round $warning 60%; border-title-color: $text-warning; }
        .report-section.-good { border: round $success 60%; border-title-color: $text-success; }
        .report-section.-bad { border: round $error 60%; border-title-color: $text-error; }
        .report-section BlockFigure:last-child { margin-bottom: 0; }
        #building { height: 1fr; content-align: center middle; text-align: center; padding: 1 4; }
        #pointed { height: 2; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    ReportScreen.-wide {
        #columns { layout: horizontal; }
        #left { width: 9fr; }
        #right { width: 11fr; margin-left: 1; }
    }
    """

    def __init__(self, run_path: Path, *, build: Build = _build) -> None:
        super().__init__()
        self._path = run_path
        self._build = build
        self._built: BuiltReport | None = None
        self._is_full = False
        self._pointed: Item | None = None

    def compose(self) -> ComposeResult:
        """Lay out the parts that every report has."""
        yield StatusLine("Report")
        yield _Anchors(id="anchors", markup=False)
        yield Static(
            "Building the report.\n\nIntervals come from thousands of resamplings: this takes a while.",
            id="building",
            markup=False,
        )
        with VerticalScroll(id="report", can_focus=False):
            yield Vertical(id="top")
            with Horizontal(id="columns"):
                yield Vertical(id="left")
                yield Vertical(id="right")
        yield Static(id="pointed", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin to build: the short report for a first look, then the full one in its place."""
        self.query_one("#report").display = False
        self.query_one("#pointed").display = False
        self._build_report()

    @work(exclusive=True, group="report", exit_on_error=False)
    async def _build_report(self) -> None:
        for full in (False, True):
            try:
                built = await self._build(self._path, full)
            except HomogauditError as error:
                if self._built is None:
                    hint = f"\n\n{plain(error.hint)}" if error.hint else ""
                    self.query_one("#building", Static).update(f"{plain(error.message)}{hint}")
                else:
                    self.notify(plain(error.message), severity="error", markup=False)
                return
            self._is_full = full
            await self._show(built)

    async def _show(self, built: BuiltReport) -> None:
        self._built = built
        sections = report_sections(built.report)
        scroll = self.query_one("#report")
        place = self._place()
        before = scroll.scroll_offset.y
        with self.app.batch_update():
            for side in ("top", "left", "right"):
                column = self.query_one(f"#{side}")
                await column.remove_children()
                await column.mount_all([_section(section) for section in sections if section.side == side])
            self.query_one("#building").display = False
            scroll.display = True
            self.query_one("#pointed").display = True
        self.query_one(_Anchors).show([section.key for section in sections], is_full=self._is_full)
        figure = self._figure_at(place)
        figure.cursor = min(place.item, len(figure.items) - 1)
        scroll.scroll_to(y=before, animate=False, force=True)
        figure.focus(scroll_visible=False)

    def _figures(self) -> list[BlockFigure]:
        return list(self.query(BlockFigure))

    def _place(self) -> _Place:
        """Return where the cursor stands; at first on the first figure."""
        focused = self.focused
        if not isinstance(focused, BlockFigure) or focused.parent is None:
            return _Place("validity", 0, 0)
        return _Place(_section_key(focused), focused.parent.children.index(focused), focused.cursor)

    def _figure_at(self, place: _Place) -> BlockFigure:
        """Return the block of a place, or the nearest that this report has."""
        figures = list(self.query(f"#section-{place.section} BlockFigure").results(BlockFigure))
        return figures[min(place.block, len(figures) - 1)] if figures else self._figures()[0]

    # The cursor

    @on(BlockFigure.Pointed)
    def _on_pointed(self, event: BlockFigure.Pointed) -> None:
        self._pointed = event.item
        item, figure = event.item, event.figure
        name = item.name if len(item.name) > 1 else ""
        value = shorten(item.value, 400) if "\n" not in item.value else "y copies all its points"
        head = Content.assemble((name, "bold"), "  " if name else "", (value, item.style or "$foreground"))
        if item.note:
            head = Content.assemble(head, ("  " + item.note, MUTED))
        keys = Content.assemble(
            ("x", "$text-primary"), (f" explains {item.term}   ", MUTED), ("y", "$text-primary"), (" copies", MUTED)
        )
        self.query_one("#pointed", Static).update(Content("\n").join([head, keys]))
        scroll = self.query_one("#report")
        first, lines = figure.lines_of(figure.cursor, figure.content_size.width)
        # The first item brings its title and the border along.
        above = first + 1 if figure.cursor == 0 else 0
        top = self._top(figure) + first - above
        height = min(lines + above + 1, max(scroll.content_size.height, 1))
        scroll.scroll_to_region(Region(0, top, 1, height), animate=False, force=True)
        self.query_one(_Anchors).mark(_section_key(figure))

    def _top(self, widget: Widget) -> int:
        """Return the line of the scrolled column at which a widget begins, wherever that is scrolled to now."""
        scroll, top = self.query_one("#report"), 0
        node: DOMNode | None = widget
        while isinstance(node, Widget) and node is not scroll:
            top += node.virtual_region.y
            node = node.parent
            if isinstance(node, Widget) and node is not scroll:
                top += node.gutter.top
        return top

    @on(BlockFigure.Left)
    def _on_left(self, event: BlockFigure.Left) -> None:
        """Go on in the block before or after."""
        figures = self._figures()
        place = figures.index(event.figure) + event.step
        if 0 <= place < len(figures):
            figure = figures[place]
            figure.cursor = 0 if event.step > 0 else len(figure.items) - 1
            figure.focus(scroll_visible=False)

    def go_to(self, key: str) -> None:
        """Go to the first figure of a section."""
        found = self.query(f"#section-{key}")
        if not found:
            return
        section = found.first()
        self.query_one("#report").scroll_to(y=self._top(section), animate=False, force=True)
        figure = section.query(BlockFigure).first()
        figure.cursor = 0
        figure.focus(scroll_visible=False)

    def action_section(self, step: int) -> None:
        """Go to the section before or after."""
        keys = [key for key in _ANCHORS if self.query(f"#section-{key}")]
        if not keys:
            return
        focused = self.focused
        here = _section_key(focused) if isinstance(focused, BlockFigure) else keys[0]
        self.go_to(keys[(keys.index(here) + step) % len(keys)])

    def action_page(self, pages: int) -> None:
        """Scroll by the height of the screen; the cursor stays where it is."""
        scroll = self.query_one("#report")
        scroll.scroll_relative(y=pages * max(scroll.size.height - 2, 1), animate=False, force=True)

    def action_end(self, last: bool) -> None:
        """Go to the first or the last figure."""
        figures = self._figures()
        if figures:
            figure = figures[-1 if last else 0]
            figure.cursor = len(figure.items) - 1 if last else 0
            figure.focus(scroll_visible=False)

    # What is done with a figure, and with the report

    def action_explain(self) -> None:
        """Say what the figure under the cursor means."""
        if self._pointed is None:
            return
        try:
            self.app.push_screen(ExplainScreen(lookup(self._pointed.term)))
        except HomogauditError as error:
            self.notify(plain(error.message), severity="warning", markup=False)

    def action_copy(self) -> None:
        """Copy the figure under the cursor."""
        item = self._pointed
        if item is None:
            return
        text = item.value if item.value != MISSING else f"{item.name}: {item.note}"
        self.app.copy_to_clipboard(text)
        self.notify(f"Copied: {shorten(text, 60)}", markup=False, timeout=2)

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

    def _write(self, export: Export) -> None:
        built = self._built
        if built is None:
            return
        try:
            if export.form == ".svg":
                text = self.app.export_screenshot(title=f"homogaudit report: {plain(self._path.name)}")
            else:
                text = built.text if export.form == ".json" else to_markdown(built.report)
            write_export(text, export)
        except HomogauditError as error:
            self.notify(plain(error.message), severity="error", markup=False)
            return
        part = "" if self._is_full or export.form == ".svg" else " (as far as it is computed)"
        self.notify(f"Written: {plain(str(export.path))}{part}", markup=False)


def _section(section: Section) -> Vertical:
    kind = {"$text-warning": " -doubtful", "$text-success": " -good", "$text-error": " -bad"}.get(section.style, "")
    panel = Vertical(
        *(block_figure(block) for block in section.blocks),
        id=f"section-{section.key}",
        classes=f"report-section{kind}",
    )
    panel.border_title = Content(section.title)
    return panel


def _section_key(figure: BlockFigure) -> str:
    parent = figure.parent
    return (getattr(parent, "id", None) or "").removeprefix("section-")


class _Anchors(Static):
    """The sections, of which the one with the cursor is marked; a click goes there."""

    def __init__(self, *, id: str, markup: bool) -> None:
        super().__init__(id=id, markup=markup)
        self._keys: list[str] = []
        self._marked = ""
        self._is_full = False

    def show(self, keys: list[str], *, is_full: bool) -> None:
        """Show which sections there are, and whether more figures are to come."""
        self._keys, self._is_full = [key for key in _ANCHORS if key in keys], is_full
        self._draw()

    def mark(self, key: str) -> None:
        """Mark the section of the cursor."""
        if key != self._marked:
            self._marked = key
            self._draw()

    def _draw(self) -> None:
        parts = [
            Content.styled(_ANCHORS[key], "$text-primary bold underline" if key == self._marked else MUTED).stylize(
                Style.from_meta({"section": key})
            )
            for key in self._keys
        ]
        line = Content("  ").join(parts)
        if not self._is_full:
            line = Content.assemble(line, ("   … more to come", "$text-warning"))
        self.update(line)

    def on_click(self, event: Click) -> None:
        """Go to the section under the mouse."""
        key = event.style.meta.get("section")
        if key and isinstance(self.screen, ReportScreen):
            self.screen.go_to(key)
