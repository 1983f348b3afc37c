"""Line and bar charts as SVG that takes its colours from the page.

Each colour is a CSS variable with a value of its own behind it: on a page that
sets the variables a chart follows light and dark mode; alone it is a light one.
The colours are told apart by people who see two or three of the primaries
(Okabe and Ito), and every line differs in its dashes, too.
"""

import html
import io
import re
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

COLOURS: Mapping[str, str] = types.MappingProxyType(
    {
        "ink": "#1c2430",
        "muted": "#5b6675",
        "grid": "#d9dee5",
        "first": "#0072b2",
        "second": "#d55e00",
        "third": "#00795a",
        "fourth": "#9c4a7d",
        "span": "#e8a33d",
    }
)
"""The variables and their values in light mode."""

LINES = (("first", "-"), ("second", "--"), ("third", "-."), ("fourth", ":"))
"""Colour and dashes of the lines of a chart, in order."""

SIZE = (3.4, 2.6)
"""Inches: small, so that the letters of a chart fit a phone."""

HIGH = (4.6, 3.4)
"""Inches of a chart with a legend above it."""

LOW = (4.6, 2.0)
"""Inches of a chart among many."""

_SETTINGS: dict[Any, Any] = {
    # Letters stay letters: they take the font of the page and can be read out.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "text.parse_math": False,
}


def marker(name: str) -> str:
    """Returns a colour that stands for a variable until the chart is written.

    Raises:
        KeyError: for a variable that does not exist.
    """
    return f"#0102{10 + list(COLOURS).index(name):02x}"


class Chart:
    """One set of axes.

    Attributes:
        axes: of matplotlib, in the colours of the page.
    """

    def __init__(self, figure: Figure) -> None:
        """Sets up the axes."""
        self._figure = figure
        self.axes: Axes = figure.add_subplot()
        self.axes.set_facecolor("none")
        self.axes.grid(color=marker("grid"), linewidth=0.6)
        for spine in self.axes.spines.values():
            spine.set_color(marker("muted"))
        self.axes.tick_params(color=marker("muted"), labelcolor=marker("muted"))

    def line(
        self,
        x: ArrayLike,
        y: ArrayLike,
        label: str,
        place: int,
        *,
        dots: bool = False,
    ) -> None:
        """Adds a line.

        Args:
            x: (n,).
            y: (n,).
            label: in the legend.
            place: which of `LINES` it looks like.
            dots: whether each point is marked.
        """
        colour, dashes = LINES[place % len(LINES)]
        self.axes.plot(
            x,
            y,
            linestyle=dashes,
            color=marker(colour),
            linewidth=1.5,
            label=label,
            marker="o" if dots else None,
            markersize=3.5,
        )

    def label(self, x: str, y: str) -> None:
        """Names the axes."""
        self.axes.set_xlabel(x, color=marker("ink"))
        self.axes.set_ylabel(y, color=marker("ink"))

    def legend(self, *, above: bool = False) -> None:
        """Adds a legend, above the axes or where it covers least."""
        looks: dict[str, Any] = {
            "frameon": False,
            "labelcolor": marker("ink"),
            "fontsize": 8.5,
            "borderaxespad": 0.2,
            "handlelength": 2.4,
        }
        if above:
            self._figure.legend(loc="outside upper left", ncols=2, **looks)
        else:
            self.axes.legend(loc="best", **looks)

    def svg(self, name: str, alternative: str) -> str:
        """Writes the chart.

        Args:
            name: unique on the page.
            alternative: text for readers who do not see the chart.

        Returns:
            An `svg` element as wide as what it lies in.
        """
        contents = io.StringIO()
        with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name}):
            self._figure.savefig(
                contents,
                format="svg",
                transparent=True,
                metadata={"Date": None, "Creator": None, "Format": None},
            )
        return _embeddable(contents.getvalue(), alternative)


@contextmanager
def chart(
    size: tuple[float, float] = SIZE,
) -> Iterator[Chart]:
    """Hands out an empty chart; matplotlib's settings hold inside the block."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=size, layout="constrained")
        yield Chart(figure)


def standalone(svg: str) -> str:
    """Returns a chart as a file of its own, for programs that know no page.

    Args:
        svg: an element that `Chart.svg` returned.
    """
    return re.sub(r"var\(--\w+, (#\w+)\)", r"\1", svg) + "\n"


def _embeddable(text: str, alternative: str) -> str:
    text = text[text.index("<svg") :]
    for name, value in COLOURS.items():
        text = text.replace(marker(name), f"var(--{name}, {value})")
    box = re.search(r'viewBox="[^"]*"', text)
    view = box.group() if box else ""
    opening = (
        f'<svg {view} role="img" aria-label="{html.escape(alternative)}" '
        'xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    text = opening + text[text.index(">") + 1 :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Groups of several charts would share their names.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"\s*\n\s*", "\n", text).strip()
