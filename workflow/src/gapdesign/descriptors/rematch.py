"""The regularised-entropy match of two sets (De, Bartok, Csanyi, Ceriotti, PCCP 18, 13754 (2016), equations 12 to 15).

If gamma is not small, tens of Sinkhorn's sweeps converge. If it is small, some modes hardly move in a sweep, and
Newton steps take over: the dual is concave, and its Hessian is applied, not built. All sums are NumPy's own, in a
fixed order, and not those of a linear algebra library.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gapdesign.errors import InputError

SWEEPS = 40
"""Sweeps before the first Newton step."""

STEPS = 200
"""Newton steps after which a match has failed; usually none to five are enough."""

LONGEST = 10.0
"""Largest change of a potential, over gamma, in a Newton step, which has no bound of its own where the dual is flat."""

FLAT = 1e-14
"""Relative curvature that is indistinguishable from zero."""

GAIN = 1e-4
"""Share of the predicted gain that a Newton step must reach."""


def match(c: np.ndarray, a: np.ndarray, b: np.ndarray, *, gamma: float, tolerance: float) -> float:
    """Return Tr P'C for the P with row sums a and column sums b that maximises Tr P'C + gamma E(P); E is the entropy.

    Parameters
    ----------
    c : (n, m)
        Similarities.
    a, b : (n,), (m,)
        Positive shares; each adds up to 1.
    gamma : float
        Weight of the entropy.
    tolerance : float
        Largest sum of the deviations of the rows of P from ``a``; its columns are exact.

    Raises
    ------
    InputError
        If the match does not reach the tolerance.
    """
    kernel = np.exp((c - c.max()) / gamma)
    turned = np.ascontiguousarray(kernel.T)
    u = np.ones(len(a))
    for _ in range(SWEEPS):
        v = b / _sum(turned * u)
        rows = u * _sum(kernel * v)
        if _sum(np.abs(rows - a)) <= tolerance:
            return float(_sum((kernel * c * u[:, None] * v).ravel()))
        u = a / rows * u
    plan = _climb(c / gamma, np.log(u), a, b, tolerance)
    if plan is None:
        raise InputError(
            f"kernel.rematch: a match does not reach the tolerance {tolerance:g} with gamma {gamma:g};"
            " raise one of them."
        )
    return float(_sum((plan * c).ravel()))


def _sum(terms: np.ndarray) -> np.ndarray:
    return np.add.reduce(terms, axis=-1)


def _plan(scaled: np.ndarray, f: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the plan (n, m) of potentials f, with column sums b, and the dual a . f - b . log(exp(scaled') exp f).

    The gradient of the dual is a minus the sums of the rows.
    """
    exponents = np.ascontiguousarray(scaled.T) + f
    top = exponents.max(axis=1)
    terms = np.exp(exponents - top[:, None])
    sums = _sum(terms)
    return np.ascontiguousarray((terms * (b / sums)[:, None]).T), _sum(a * f) - _sum(b * (np.log(sums) + top))


def _climb(scaled: np.ndarray, f: np.ndarray, a: np.ndarray, b: np.ndarray, tolerance: float) -> np.ndarray | None:
    """Return the plan (n, m) by Newton steps from the potentials f (n,), or None if they do not reach the tolerance."""
    plan, dual = _plan(scaled, f, a, b)
    for _ in range(STEPS):
        gradient = a - _sum(plan)
        error = _sum(np.abs(gradient))
        if error <= tolerance:
            return plan
        change = _newton(plan, gradient, b, min(0.1, max(error, 1e-6)))
        slope = _sum(change * gradient)
        for length in 0.5 ** np.arange(30):
            trial = f + length * change
            new_plan, new_dual = _plan(scaled, trial, a, b)
            left = _sum(np.abs(a - _sum(new_plan)))
            if new_dual - dual >= GAIN * length * slope or left < error / 2:
                break
        else:
            trial = f + np.log(a / _sum(plan))
            new_plan, new_dual = _plan(scaled, trial, a, b)
        f, plan, dual = trial, new_plan, new_dual
    return None


def _newton(plan: np.ndarray, gradient: np.ndarray, b: np.ndarray, accuracy: float) -> np.ndarray:
    """Return the change (n,) of the potentials; the dual's Hessian is P diag(1 / b) P' - diag(rows) for the plan P."""
    rows, columns = _sum(plan), np.ascontiguousarray(plan.T)
    change = _conjugate_gradients(lambda x: rows * x - _sum(plan * (_sum(columns * x) / b)), gradient, rows, accuracy)
    change = change - _sum(change) / len(change)
    return change * min(1.0, LONGEST / np.abs(change).max())


def _conjugate_gradients(
    apply: Callable[[np.ndarray], np.ndarray], right: np.ndarray, diagonal: np.ndarray, accuracy: float
) -> np.ndarray:
    """Solve apply(x) = right (n,) for a positive semidefinite operator, or follow a flat direction."""
    x, residual = np.zeros(len(right)), right
    direction = preconditioned = residual / diagonal
    size = _sum(residual * preconditioned)
    goal = size * accuracy**2
    for _ in range(2 * len(right)):
        if size <= goal:
            break
        applied = apply(direction)
        curvature = _sum(direction * applied)
        if curvature <= FLAT * _sum(diagonal * direction**2):
            return x + direction * (LONGEST / np.abs(direction).max())
        x = x + size / curvature * direction
        residual = residual - size / curvature * applied
        preconditioned = residual / diagonal
        size, previous = _sum(residual * preconditioned), size
        direction = preconditioned + size / previous * direction
    return x
