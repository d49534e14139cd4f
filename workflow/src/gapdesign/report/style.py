"""The look of the figures, and their conversion to SVG and PDF with the same bytes every time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gapdesign.methods import is_baseline

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axis import Axis
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# The page replaces these four by its own variables, so that a figure follows a dark page. Nothing that
# carries data may use them; the colours of data are of middling lightness, to be read on either page.
INK, MUTED, RULE, PAPER = "#1d2126", "#6a7079", "#dcdfe3", "#fefefe"

BASELINE = "#d98a1f"
"""The colour of random designs, with which those of every other method are compared."""

GREY = "#8d939b"
"""The colour of backgrounds: pools, bounds, the reference engine."""

PALETTE = ("#2b7bba", "#199a7b", "#a05fbf", "#c8506a", "#7f8a2b", "#2aa3b8", "#8b6f5a", "#5f6fd0")
"""Colours of the other methods, in the order of the configuration."""

DASHES = (
    *("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5))),
    *((0, (9, 2)), (0, (2.5, 1.2)), (0, (5, 1.2, 1.2, 1.2, 1.2, 1.2)), (0, (1.2, 3))),
)
"""Line patterns of the designs, which tell them apart in grey too."""

MOST = len(DASHES)
"""Most designs that are shown one by one: as many as there are line patterns that tell them apart."""

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    # A dollar sign in a design's name is a dollar sign.
    "text.parse_math": False,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",
    "svg.hashsalt": "gapdesign",
    "svg.id": None,
    # Text stays text in a manuscript's editor.
    "pdf.fonttype": 42,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with the style of the report, whatever the user's own matplotlib settings are.

    Also a decorator: ``@house_style()``.
    """
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser has the letters of every script; the font that matplotlib measures with does not.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


@house_style()
def svg_text(figure: Figure, *, dots_per_inch: int = 160) -> str:
    """Return a figure as SVG: the same bytes for the same data.

    Parameters
    ----------
    figure
        The figure.
    dots_per_inch
        Resolution of the parts that are drawn as pixels (the clouds of points).

    Returns
    -------
    str
        A whole SVG document, without date, host or version.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with _as_saved(figure, dots_per_inch, PAPER):
        FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


@house_style()
def pdf_bytes(figure: Figure, *, dots_per_inch: int = 300) -> bytes:
    """Return a figure as PDF for a manuscript, on white: the same bytes for the same data.

    Parameters
    ----------
    figure
        The figure.
    dots_per_inch
        Resolution of the parts that are drawn as pixels.

    Returns
    -------
    bytes
        A document of one page, without date, host or version.
    """
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    buffer = io.BytesIO()
    nothing = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    with _as_saved(figure, dots_per_inch, "white"):
        FigureCanvasPdf(figure).print_pdf(buffer, metadata=nothing)
    return buffer.getvalue()


@contextmanager
def _as_saved(figure: Figure, dots_per_inch: int, paper: str) -> Iterator[None]:
    """Give a figure a resolution and a paper; a canvas then draws it once, where `savefig` draws it twice.

    The layout of the first time stays, for it takes as long as the drawing.
    """
    before = figure.dpi, figure.get_facecolor()
    figure.dpi = dots_per_inch
    figure.set_facecolor(paper)
    try:
        yield
    finally:
        figure.dpi = before[0]
        figure.set_facecolor(before[1])
        figure.set_layout_engine("none")


def text_width(text: str, size: float) -> float:
    """Return the width of text of a given size, in points, in inches."""
    from matplotlib.textpath import TextPath

    return TextPath((0, 0), text, size=size).get_extents().width / 72 if text.strip() else 0.0


def legend_below(figure: Figure, handles: Sequence[Artist], *, most: int = 4, **options: Any) -> None:
    """Put a legend below a figure, in as many columns as its width holds, and make room for more than three lines.

    Parameters
    ----------
    figure
        With the layout `constrained`.
    handles
        Artists with a label; none give no legend.
    most
        Largest number of columns.
    options
        Of :meth:`matplotlib.figure.Figure.legend`.
    """
    from matplotlib import rcParams

    if not handles:
        return
    em = rcParams["legend.fontsize"] / 72
    # The longest name, the line before it, and the gaps beside both.
    entry = max(text_width(str(handle.get_label()), 72 * em) for handle in handles) + 5.6 * em
    columns = max(1, min(most, len(handles), int(figure.get_figwidth() / entry)))
    lines = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + max(0, lines - 3) * 1.5 * em)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, **options)


def error_colours() -> Colormap:
    """Return the colour map of absolute errors: blue is near zero, orange near the largest, as in BR's figures 5 and 6.

    Lightness rises steadily from 47 to 70 (CIE L*), which leaves both ends readable on white and on black,
    and the run from blue to orange is one that all common forms of colour blindness keep apart.
    """
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("errors", ["#2872b8", "#7a74bd", "#c06aa0", "#e57f6b", "#f0982e"])


def are_many(methods: Mapping[str, str]) -> bool:
    """Return whether designs are so many that those of a method are shown together; not if each has one of its own.

    Parameters
    ----------
    methods
        Design to method.
    """
    return len(methods) > MOST and len(set(methods.values())) < len(methods)


def line_styles(methods: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """Assign every design the colour of its method, and its own line pattern.

    Up to as many designs as there are patterns differ even without colour. Beyond that the pattern is that of the
    method too, if any method has several designs.

    Parameters
    ----------
    methods
        Design to method, in the order of the configuration.

    Returns
    -------
    dict
        Design to ``{"color": ..., "linestyle": ...}``, as the ``plot`` method takes them.
    """
    others = list(dict.fromkeys(method for method in methods.values() if not is_baseline(method)))
    colours = {method: PALETTE[place % len(PALETTE)] for place, method in enumerate(others)}
    styles: dict[str, dict[str, object]] = {}
    if are_many(methods):
        of_methods = line_styles({method: method for method in methods.values()})
        return {design: of_methods[method] for design, method in methods.items()}
    for place, (design, method) in enumerate(methods.items()):
        colour = colours.get(method, BASELINE)
        taken = [style["linestyle"] for style in styles.values() if style["color"] == colour]
        order = DASHES[place % len(DASHES) :] + DASHES[: place % len(DASHES)]
        free = [pattern for pattern in order if pattern not in taken]
        styles[design] = {"color": colour, "linestyle": (free or order)[0]}
    return styles


def plain_logarithms(axis: Axis) -> None:
    """Write the ticks of a logarithmic axis as plain numbers: 1, 2, 3, 5 and 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
