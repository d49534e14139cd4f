"""Strict numbers and truth values: YAML's `yes` is no number, 1 is neither true nor false, and 1e300 is a slip."""

from __future__ import annotations

import re
from math import inf
from typing import Any

from pydantic_core import PydanticCustomError, core_schema

_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?")
SMALLEST, LARGEST = 1e-20, 1e20
"""Magnitudes of the numbers that are taken; others are slips, and their powers are no numbers any more."""

_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _whole(value: Any) -> Any:
    return _number(value, "int_parsing")


def _number(value: Any, otherwise: str = "float_parsing") -> Any:
    """Refuse truth values, which Python takes for 0 and 1, and text that is no plain decimal number.

    Plain decimals as text are let through: YAML 1.1 takes `1e-3` for text, and so does Snakemake everything within
    `--config 'pools={size: 100}'`.
    """
    if isinstance(value, bool):
        raise PydanticCustomError("number_from_truth", "a number")
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise PydanticCustomError(otherwise, "a number")
    if isinstance(value, int | float | str) and not _is_sane(float(value) if isinstance(value, str) else value):
        raise PydanticCustomError("number_size", "a number")
    return value


def _is_sane(value: float) -> bool:
    """Return whether a number has a sane size; NaN and infinity are refused elsewhere."""
    return value == 0 or value != value or abs(value) == inf or SMALLEST <= abs(value) <= LARGEST


def _truth(value: Any) -> Any:
    """Refuse numbers, and text other than YAML's words for true and false."""
    if isinstance(value, str):
        value = _TRUTH.get(value.lower(), value)
    if not isinstance(value, bool):
        raise PydanticCustomError("truth_type", "true or false")
    return value


_CHECKS = {"int": _whole, "float": _number, "bool": _truth}


_NO_SCHEMA = {"metadata", "default", "serialization", "cls", "config", "expected"}
"""Keys of a schema whose values are none."""


def strict(schema: Any) -> Any:
    """Return a schema of pydantic's with a check before each number and truth value, but where a union takes both."""
    if isinstance(schema, list | tuple):
        return type(schema)(strict(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    is_strict = kind == "function-before" and schema["function"]["function"] in _CHECKS.values()
    if is_strict or (kind == "union" and any(_is_truth(choice) for choice in schema["choices"])):
        return schema
    if kind in _CHECKS:
        return core_schema.no_info_before_validator_function(_CHECKS[kind], schema)
    return {key: value if key in _NO_SCHEMA else strict(value) for key, value in schema.items()}


def _is_truth(choice: Any) -> bool:
    return isinstance(choice, dict) and choice["type"] == "bool"
