"""Lines of dots, eight to a cell, with the series that each cell belongs to. Knows neither axes nor colours."""

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille character, by row and column (Unicode, block 2800)."""


class DotGrid:
    """`width` x `height` cells of 2 x 4 dots; the series drawn last owns a cell."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._bits: dict[tuple[int, int], int] = {}
        self._owner: dict[tuple[int, int], int] = {}

    def dot(self, x: int, y: int, owner: int) -> None:
        """Set the dot at column x and row y, in dots; outside the grid nothing is set."""
        if 0 <= x < 2 * self.width and 0 <= y < 4 * self.height:
            cell = (x // 2, y // 4)
            self._bits[cell] = self._bits.get(cell, 0) | _BITS[y % 4][x % 2]
            self._owner[cell] = owner

    def line(self, x0: float, y0: float, x1: float, y1: float, owner: int, *, every: int = 1) -> None:
        """Set the dots of a line between two places, in dots; `every` 2 or more leaves gaps."""
        steps = max(round(abs(x1 - x0)), round(abs(y1 - y0)), 1)
        # A line to a place far outside would be walked dot by dot for nothing.
        if steps > 100_000:
            return
        for step in range(steps + 1):
            x, y = round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps)
            if every == 1 or x % every == 0:
                self.dot(x, y, owner)

    def cells(self) -> list[tuple[int, int, str, int]]:
        """Return column, row, character and series of every cell that has a dot."""
        return [(x, y, chr(0x2800 + bits), self._owner[x, y]) for (x, y), bits in self._bits.items()]
