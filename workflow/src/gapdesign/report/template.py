"""Pages from templates."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

from gapdesign.report import words

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


def fill(template: str, **shown: Any) -> str:
    """Fill one of the templates beside this module with the style and with values, which are escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    package = files(__package__)

    def source(name: str) -> str:
        return package.joinpath(name).read_text(encoding="utf-8")

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
        loader=FunctionLoader(source),
    )
    environment.filters |= {"number": words.number, "percent": words.percent, "cell": words.cell}
    environment.filters["cost"] = lambda hours: words.cost([hours]) if hours == hours else words.DASH
    environment.filters |= {"method": words.method_name, "listing": words.listing}
    return environment.get_template(template).render(style=Markup(source("page.css")), **shown)


def _printable(value: Any) -> Any:
    """Take out control characters, which a failed engine may print and no HTML page may hold."""
    return type(value)(_CONTROL.sub("\ufffd", value)) if isinstance(value, str) and _CONTROL.search(value) else value
