"""Numbers, names and configurations as a reader wants them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from gapdesign.methods import METHODS
from gapdesign.methods.polish import PREFIX

DASH, MINUS, TIMES = "\u2013", "\u2212", "\u00d7"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: Any, digits: int = 3) -> str:
    """Write a number with a given number of significant digits: integers in full, missing values as a dash.

    >>> number(0.123456), number(1234.5, 2), number(12), number(12.0)
    ('0.123', '1200', '12', '12.0')
    """
    if value is None or (isinstance(value, Real) and math.isnan(value)):
        return DASH
    if isinstance(value, Integral):
        plain = f"{int(value):,}".replace(",", "\u202f") if abs(int(value)) >= 10_000 else str(int(value))
        return plain.replace("-", MINUS)
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -4 <= power < 6:
        text = f"{float(f'{mantissa}e{power}'):.{max(0, digits - 1 - power)}f}"
    else:
        text = f"{mantissa} {TIMES} 10{str(power).translate(_SUPERSCRIPTS)}"
    return text.replace("-", MINUS)


def decimal(value: Any, places: int = 1) -> str:
    """Write a logarithm with a fixed number of decimals, since its differences count.

    >>> decimal(1234.56)
    '1234.6'
    """
    return f"{float(value):.{places}f}".replace("-", MINUS) if value is not None and value == value else DASH


def percent(value: Any) -> str:
    """Write a share of one as a percentage, to three significant digits at most.

    >>> percent(0.023456), percent(0), percent(1.0)
    ('2.35 %', '0 %', '100 %')
    """
    text = number(None if value is None else 100 * float(value))
    return text if text == DASH else f"{text} %"


def span(values: Iterable[float], digits: int = 2) -> str:
    """Write the range of some values: ``10 to 12``, or one number if both ends read the same."""
    values = list(values)
    low, high = number(float(min(values)), digits), number(float(max(values)), digits)
    return low if low == high else f"{low} to {high}"


def span_of(sizes: list[int]) -> str:
    """Write a range of whole numbers."""
    low, high = number(min(sizes)), number(max(sizes))
    return low if low == high else f"{low} to {high}"


def cost(hours: Iterable[float]) -> str:
    """Write the range of some core-hours; in core-seconds where they are few.

    >>> cost([2, 3]), cost([1e-5])
    ('2.0 to 3.0 core-hours', '0.036 core-seconds')
    """
    hours = list(hours)
    return f"{span(hours)} core-hours" if max(hours) >= 0.01 else f"{span(3600 * h for h in hours)} core-seconds"


def listing(items: Iterable[str], last: str = "and") -> str:
    """Join words: ``a``, ``a and b``, ``a, b and c``."""
    items = list(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def method_name(method: str) -> str:
    """Name a method in prose, polished or not; an unknown one keeps its own name."""
    if method.startswith(PREFIX):
        return PREFIX + method_name(method.removeprefix(PREFIX))
    title = METHODS[method].title if method in METHODS else ""
    return title or method.replace("_", " ")


def count(amount: int, noun: str) -> str:
    """Count a regular noun: ``1 design``, ``4 designs``."""
    return f"{number(amount)} {noun}{'' if amount == 1 else 's'}"


def budget(value: int | Mapping[str, Any]) -> str:
    """Return the budget of a design, as a configuration gives it, in words.

    >>> budget(100), budget({"core_hours": 200.0, "at_most": 500})
    ('100 structures', '200 core-hours, at most 500 structures')
    """
    if not isinstance(value, Mapping):
        return count(value, "structure")
    most = value.get("at_most")
    return f"{value['core_hours']:g} core-hours" + (f", at most {count(most, 'structure')}" if most else "")


def shorten(name: str, width: int) -> str:
    """Cut the middle out of a name longer than ``width`` letters: names often differ only in their last ones.

    >>> shorten("strained-optimal-12", 10)
    'strain…-12'
    """
    tail = width // 3
    return name if len(name) <= width else f"{name[: width - tail - 1]}…{name[len(name) - tail :]}"


def plain(value: Any) -> str:
    """Write a configured value as a phrase: ``soap (r_cut 6.8, n_max 10)``; numbers as they were given.

    >>> plain({"backend": "dscribe", "soap": {"r_cut": 6.8}, "names": ["A", "B"], "start": None})
    'backend dscribe, soap (r_cut 6.8), names A, B, start none'
    """
    if isinstance(value, Mapping):
        return (
            ", ".join(
                f"{key} ({plain(part)})" if isinstance(part, Mapping) and part else f"{key} {plain(part)}"
                for key, part in value.items()
            )
            or "none"
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(plain(part) for part in value) or "none"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def cell(value: Any) -> str:
    """Write any value for a table: numbers to three significant digits, the rest as :func:`plain` does."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(part)}" for key, part in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(cell(part) for part in value)
    if value is None or (isinstance(value, Real) and not isinstance(value, bool)):
        return number(value)
    return plain(value)
