"""SVG documents embedded in an HTML page."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from gapdesign.report.style import INK, MUTED, PAPER, RULE

_VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", PAPER: "var(--paper)"}
_ELEMENT = re.compile(r"<svg\b[^>]*>")
_VIEW = re.compile(r'viewBox="([^"]*)"')


def embed(name: str, document: str, description: str) -> Markup:
    """Turn an SVG document into an element that stands in a page beside others and follows its colours.

    Parameters
    ----------
    name
        Name of the figure: a prefix to its identifiers, which would clash with those of other figures.
    document
        SVG text by :func:`gapdesign.report.style.svg_text`.
    description
        Text for screen readers.

    Returns
    -------
    Markup
        The element; it fills its column up to its own size, and does not become too small to read.
    """
    start = _ELEMENT.search(document)
    if start is None:
        raise ValueError(f"{name}: not an SVG document")
    body = document[start.end() :].strip()
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'href="#', f'href="#{name}-', body).replace("url(#", f"url(#{name}-")
    body = body.replace("*{stroke-linejoin", f"#{name} *{{stroke-linejoin")
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    view = _VIEW.search(start.group())
    box = view.group(1) if view else "0 0 480 360"
    pixels = float(box.split()[2]) * 4 / 3
    opening = (
        f'<svg id="{escape(name)}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{escape(box)}" role="img" aria-label="{escape(description)}" '
        f'style="width:100%;max-width:{pixels:.0f}px;min-width:{min(pixels, max(330, 0.7 * pixels)):.0f}px">'
    )
    return Markup(opening + body)
