from itertools import combinations, pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.cells import cell_len
from textual.color import Color

from homogaudit.records import GenerationState, LabelValue
from homogaudit.tui.theme import (
    DARK_PALETTE,
    LIGHT_PALETTE,
    STATES,
    Palette,
    cluster_glyph,
    palette_of,
    shade_glyph,
    state_mark,
)

PALETTES = [pytest.param(DARK_PALETTE, id="dark"), pytest.param(LIGHT_PALETTE, id="light")]

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "common": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}


def linear(color: str) -> NDArray[np.float64]:
    """IEC 61966-2-1."""
    value = np.array(Color.parse(color).rgb) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(first: str, second: str) -> float:
    """WCAG 2."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def lab(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* of linear sRGB, D65."""
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x = matrix @ np.clip(value, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_letters_of_the_first_fifty_two_clusters_differ() -> None:
    glyphs = [cluster_glyph(number) for number in range(52)]
    assert len(set(glyphs)) == 52
    assert glyphs[:3] == ["A", "B", "C"]
    assert cluster_glyph(52) == cluster_glyph(1000) == "#"


@pytest.mark.parametrize("palette", PALETTES)
def test_cluster_colours_are_text_that_can_be_read(palette: Palette) -> None:
    assert len(palette.clusters) >= 10
    assert min(contrast(color, palette.background) for color in palette.clusters) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", PALETTES)
def test_cluster_colours_stay_apart_for_the_colour_blind(palette: Palette, sight: str) -> None:
    seen = [lab(SIGHT[sight] @ linear(color)) for color in palette.clusters]
    distances = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(range(12), 2)}
    assert min(distance for (_, second), distance in distances.items() if second < 6) > 12
    assert min(distances.values()) > 5


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("ramp", ["heat", "similarity"])
def test_ramps_run_one_way_in_grey(palette: Palette, ramp: str) -> None:
    steps = [luminance(color) for color in getattr(palette, ramp)]
    assert all((a < b) is palette.dark for a, b in pairwise(steps))


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0, -1.0, 2.0])
def test_text_on_a_ramp_can_be_read(palette: Palette, share: float) -> None:
    for style in (palette.heat_style(share), palette.similarity_style(share)):
        assert style.foreground is not None
        assert style.background is not None
        assert contrast(style.foreground.hex, style.background.hex) >= 3.5


def test_shades_have_more_ink_for_more() -> None:
    assert [shade_glyph(share) for share in (0, 0.2, 0.4, 0.6, 0.8, 1, 9, -9)] == list(" ·░▒▓██ ")


def test_every_state_of_a_draw_and_of_a_label_has_a_glyph_and_a_word() -> None:
    for state in [*GenerationState, *LabelValue]:
        assert state.value in STATES


def test_glyphs_of_states_differ_and_are_one_cell() -> None:
    glyphs = [mark.glyph for mark in STATES.values()]
    assert len(set(glyphs)) == len(glyphs)
    assert {cell_len(glyph) for glyph in glyphs} == {1}
    assert all(mark.word for mark in STATES.values())


def test_a_state_without_a_mark_is_its_own_word() -> None:
    assert state_mark("gone_fishing").word == "gone fishing"


def test_the_palette_follows_the_theme() -> None:
    assert palette_of(True) is DARK_PALETTE
    assert palette_of(False) is LIGHT_PALETTE
