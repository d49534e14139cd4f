"""Sentences about the mistakes that pydantic finds in a configuration."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import ValidationError

from gapdesign.config.strict import LARGEST, SMALLEST

MOST = 160
"""Characters of a value that a sentence repeats."""

_REMEDIES = {
    "model_type": "give a block of keys and values",
    "dict_type": "give a block of keys and values",
    "tuple_type": "give a list, such as [A, B]",
    "string_type": "give text, in quotes if it looks like a number or like yes or no",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "number_from_truth": "give a number; YAML reads yes, no, on and off as true and false",
    "number_size": f"give 0 or a number of a size between {SMALLEST:g} and {LARGEST:g}",
    "truth_type": "give true or false",
    "bool_type": "give true or false",
    "float_type": "give a number",
    "float_parsing": "give a number",
}
"""Remedies for mistakes of type."""


def sentence(error: ValidationError, model: Any) -> str:
    """Return a sentence about the first mistake that pydantic found: key, value and remedy."""
    first = error.errors()[0]
    path = [str(step) for step in first["loc"] if not str(step).startswith("[")]
    key, value = _short(".".join(path)), first["input"]
    match first["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key; {_suggest(path, model)}"
        case "missing":
            return f"{key}: this key is missing; see config/README.md for what it means."
        case "literal_error":
            close = difflib.get_close_matches(str(value), first["ctx"]["expected"].split("'"), 1)
            hint = f"did you mean '{close[0]}'? Choose from" if close else "choose from"
            return f"{key}: there is no '{_short(str(value))}'; {hint} {first['ctx']['expected']}."
        case "string_pattern_mismatch":
            return (
                f"{key}: the name '{_short(value)}' must begin with a letter or digit and may hold those, '_', '.' and"
                " '-', but no slash or blank."
            )
        case "string_too_long":
            return (
                f"{key}: the name is {len(value)} characters long; shorten it to {first['ctx']['max_length']} or fewer."
            )
        case "too_short":
            return f"{key}: it is empty; give at least one entry."
        case "value_error":
            return f"{key}: {first['ctx']['error']!s}."
        case _:
            remedy = _REMEDIES.get(first["type"], first["msg"].replace("Input should be", "it should be"))
            return f"{key}: {_short(repr(value))} is not valid; {remedy}."


def _short(text: str) -> str:
    """Return text that fits a sentence: what does not print is escaped, and the middle of a long one left out."""
    text = "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)
    return text if len(text) <= MOST else f"{text[: MOST // 2]} ... {text[-MOST // 4 :]}"


def _suggest(path: list[str], model: Any) -> str:
    for step in path[:-1]:
        model = _inner(model, step)
    known = list(getattr(model, "model_fields", {}))
    close = difflib.get_close_matches(path[-1], known, 1)
    return f"did you mean '{close[0]}'?" if close else f"the keys here are {', '.join(known)}."


def _inner(model: Any, step: str) -> Any:
    if hasattr(model, "model_fields") and step in model.model_fields:
        annotation = model.model_fields[step].annotation
        arguments = [item for item in getattr(annotation, "__args__", ()) if hasattr(item, "model_fields")]
        return arguments[0] if arguments else annotation
    return model
