"""What labels cost beside what may be spent: one rule for the choice of designs, their proof and their replacements."""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-9
"""Share of a budget by which the sum of costs may exceed it: sums of decimal numbers are off in their last digits."""


def affordable(costs: np.ndarray | float, spent: np.ndarray | float, core_hours: float) -> np.ndarray | bool:
    """Return whether labels at some costs still fit a budget of core-hours of which some are spent.

    Parameters
    ----------
    costs, spent : array or float
        In core-hours, of shapes that broadcast.
    core_hours : float
        The budget.
    """
    return costs + spent <= core_hours * (1 + ROUNDING)


def spent_before(costs: np.ndarray, already: float = 0.0) -> np.ndarray:
    """Return what is spent before each of some labels (n,) and after the last: (n + 1,), in core-hours.

    The sum is taken one after another, so that every place that needs it finds the same bits.
    """
    return np.cumsum(np.concatenate([[already], costs]))


def drawn_within(costs: np.ndarray, core_hours: float, order: np.ndarray) -> np.ndarray:
    """Return what a budget pays for of candidates in a given order (n,): those that do not fit are skipped."""
    taken, spent, least = [], 0.0, costs.min()
    for place in order.tolist():
        if not affordable(least, spent, core_hours):
            break
        if affordable(costs[place], spent, core_hours):
            taken.append(place)
            spent += costs[place]
    return np.array(taken, np.int64)
