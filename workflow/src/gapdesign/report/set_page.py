"""The page of a set of frames: what a verb for sets found, in words, tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gapdesign.files import csv_bytes
from gapdesign.report.downloads import File, downloads
from gapdesign.report.embed import embed
from gapdesign.report.style import pdf_bytes, svg_text
from gapdesign.report.template import fill

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure, with the table that it was drawn from.

    Attributes
    ----------
    title : str
        Text for screen readers.
    caption : str
    figure : Figure
    file : str
        Name of the table.
    table : DataFrame
    """

    title: str
    caption: str
    figure: Figure
    file: str
    table: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    name, title : str
        Anchor and heading.
    texts : sequence of str
        Paragraphs before the table.
    columns : sequence of str
    rows : sequence of sequences
        Cells: text, numbers, or None for a dash.
    note : str
        Paragraph after the table.
    figures : sequence of str
        Names of figures after that.
    """

    name: str
    title: str
    texts: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    note: str = ""
    figures: Sequence[str] = ()

    @property
    def is_number(self) -> list[bool]:
        """Whether each column holds numbers."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        return [any(isinstance(cell, int | float) for cell in column) for column in columns]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page says.

    Attributes
    ----------
    eyebrow, title : str
        What was done, and to which file.
    lead : str
        The answer.
    lines : sequence of str
        What was said to the person who asked.
    facts : sequence of str
    sections : sequence of Section
    figures : dict of str to Drawn
        In reading order.
    """

    eyebrow: str
    title: str
    lead: str
    lines: Sequence[str] = ()
    facts: Sequence[str] = ()
    sections: Sequence[Section] = ()
    figures: dict[str, Drawn] = field(default_factory=dict)

    def html(self, prefix: str) -> str:
        """Return one self-contained document, whose downloads have names that begin with ``prefix``."""
        documents = {name: svg_text(drawn.figure) for name, drawn in self.figures.items()}
        files = {
            name: [
                File(f"figures/{name}.pdf", pdf_bytes(drawn.figure), beside=False),
                File(f"figures/{name}.svg", documents[name].encode(), beside=False),
                File(drawn.file, csv_bytes(drawn.table), beside=False),
            ]
            for name, drawn in self.figures.items()
        }
        return fill(
            "set.html.j2",
            page=self,
            figures={name: embed(name, document, self.figures[name].title) for name, document in documents.items()},
            captions={name: drawn.caption for name, drawn in self.figures.items()},
            numbers={name: place for place, name in enumerate(self.figures, 1)},
            downloads=downloads(prefix, files),
        )
