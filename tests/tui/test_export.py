"""The dialog that writes the report, without colour."""

from pathlib import Path

import pytest
from textual.app import App

from homogaudit.tui.export import ExportScreen


async def test_the_chosen_form_is_marked_by_a_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ExportScreen(tmp_path / "a.audit"))
        await pilot.pause()

        def marked() -> list[str]:
            lines = "\n".join("".join(x.text for x in strip) for strip in app.screen._compositor.render_strips())  # pyright: ignore
            return [line.split(")")[1].split(",")[0].strip() for line in lines.splitlines() if "(●)" in line]

        assert marked() == ["JSON"]
        await pilot.press("down", "enter")
        await pilot.pause()
        assert marked() == ["Markdown"]
