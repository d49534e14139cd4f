"""Downloads of a page: every figure as PDF and SVG, and the table it was drawn from.

Files are embedded in the page, so that it stays whole wherever it is sent; the largest are only linked to where they
would make it too heavy.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

ALLOWANCE = 2_500_000
"""Characters of a page that may be spent on files."""

LARGEST = 1_500_000
"""Characters of one file: browsers cut off longer addresses."""

PLAIN = 60_000
"""Bytes of a table beyond which it is compressed."""

TYPES = {
    ".pdf": ("PDF", "application/pdf"),
    ".svg": ("SVG", "image/svg+xml"),
    ".csv": ("data", "text/csv"),
    ".gz": ("data", "application/gzip"),
}
"""Suffix to the text of a link, and its media type."""

DATA = {
    "worst": "crossval/errors.csv",
    "distances": "figures/distances.csv",
    "ranks": "figures/ranks.csv",
    "errors": "crossval/predictions.csv",
    **dict.fromkeys(("parity", "virial_parity"), "crossval/predictions.csv"),
    **dict.fromkeys(("force_errors", "force_parity"), "crossval/forces.csv"),
    "constants": "properties.csv",
    **dict.fromkeys(("volumes", "dimer", "phonons", "nve"), "properties/curves.csv"),
    "learning": "replay/errors.csv",
    "surfaces": "replay/surface_energies.csv",
}
"""Figure to the table that holds what it shows, both beside the page."""


@dataclass(frozen=True)
class File:
    """A file offered for download.

    Parameters
    ----------
    path
        Where it lies beside the page, with forward slashes.
    content
        Its bytes.
    beside
        Whether it lies there indeed, so that the page can link to it if it cannot hold it.
    """

    path: str
    content: bytes
    beside: bool = True


@dataclass(frozen=True)
class _Offer:
    name: str
    label: str
    href: str
    size: int


def downloads(study: str, files: Mapping[str, Sequence[File]]) -> dict[str, list[dict[str, Any]]]:
    """Make the links below the figures.

    Parameters
    ----------
    study
        Name of the study, with which the names of the files begin.
    files
        Figure to its files, in the order of the page. A table of several figures is offered with the first of them.

    Returns
    -------
    dict
        Figure to its links: ``label``, ``size`` (as text), ``href``, the ``name`` to save it by, whether it is
        ``inside`` the page, and for a table that an earlier figure offers, its name as ``figure``.
    """
    first: dict[str, str] = {}
    for figure, mine in files.items():
        for file in mine:
            first.setdefault(file.path, figure)
    offers = {file.path: _offer(study, file) for mine in files.values() for file in mine}
    left, held = ALLOWANCE, set()
    for path, offer in sorted(offers.items(), key=lambda entry: len(entry[1].href)):
        if len(offer.href) <= min(left, LARGEST):
            left -= len(offer.href)
            held.add(path)
    links: dict[str, list[dict[str, Any]]] = {}
    for figure, mine in files.items():
        links[figure] = [
            _link(file, offers[file.path], first[file.path], figure, inside=file.path in held)
            for file in mine
            if file.beside or file.path in held
        ]
    return links


def _offer(study: str, file: File) -> _Offer:
    path, content = PurePosixPath(file.path), file.content
    parts = path.parts[1:] if path.parts[0] == "figures" else path.parts
    name = "-".join((study, *parts))
    if path.suffix == ".csv" and len(content) > PLAIN:
        # Without a time, so that a page is the same bytes every time.
        name, content = f"{name}.gz", gzip.compress(content, mtime=0)
    label, media = TYPES[PurePosixPath(name).suffix]
    href = f"data:{media};base64,{base64.b64encode(content).decode()}"
    return _Offer(name, label, href, len(content))


def _link(file: File, offer: _Offer, first: str, figure: str, *, inside: bool) -> dict[str, Any]:
    size = len(file.content) if not inside else offer.size
    shown = {"label": offer.label, "size": _bytes(size), "name": offer.name, "inside": inside, "figure": ""}
    if figure != first:
        return shown | {"href": f"#figure-{first}", "figure": first}
    return shown | {"href": offer.href if inside else file.path}


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
