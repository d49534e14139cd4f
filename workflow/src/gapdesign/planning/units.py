"""The unit costs that come with the program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from math import log
from typing import Any


def shipped() -> dict[str, Any]:
    """Return the unit costs that come with the program, with the machine, command and setting that they rest on."""
    return json.loads(files("gapdesign.planning").joinpath("unit_costs.json").read_text(encoding="utf-8"))


def power(points: Mapping[str, float], at: float) -> float:
    """Evaluate the power law through two points (number, seconds)."""
    (small, low), (large, high) = sorted((float(n), seconds) for n, seconds in points.items())
    return low * (at / small) ** (log(high / low) / log(large / small))
