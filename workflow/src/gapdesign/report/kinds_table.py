"""The kinds of models of a study beside one another, as its pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any, NamedTuple

from gapdesign.report.headline import FORCE_TAIL, TAIL, TWENTIETH, has_forces, worst_off_sample
from gapdesign.report.words import method_name

if TYPE_CHECKING:
    import pandas as pd


class Other(NamedTuple):
    """Another kind of model: the way to its page, and its table ``crossval/errors.csv``."""

    page: str
    errors: pd.DataFrame


def section(own: str, errors: pd.DataFrame, others: Mapping[str, Other], methods: Mapping[str, str]) -> dict[str, Any]:
    """Gather the worst off-sample errors of every kind of model, by the method that chose its design.

    Parameters
    ----------
    own, errors
        Kind of model of this page, and its table ``crossval/errors.csv``.
    others
        The other kinds.
    methods
        Design to method.

    Returns
    -------
    dict
        ``methods`` by name; ``rows``: ``kind``, ``page`` (None for this one) and, for each method, the geometric mean
        over its designs of the worst off-sample 0.99 quantile of ``energies`` and of ``forces``, and of the worst mean
        of the worst twentieth of energies (``twentieths``), or None.
    """
    if not others:
        return {"methods": [], "rows": []}
    names = list(dict.fromkeys(methods.values()))
    tables = {own: Other("", errors), **others}
    rows = [
        {
            "kind": kind,
            "page": other.page or None,
            "energies": _means(other.errors, TAIL, methods, names),
            "twentieths": _means(other.errors, TWENTIETH, methods, names),
            "forces": _means(other.errors, FORCE_TAIL, methods, names),
        }
        for kind, other in tables.items()
    ]
    return {"methods": [method_name(name) for name in names], "rows": rows}


def _means(errors: pd.DataFrame, column: str, methods: Mapping[str, str], names: list[str]) -> list[float | None]:
    if column == FORCE_TAIL and not has_forces(errors):
        return [None] * len(names)
    worst = worst_off_sample(errors, column)
    by_method = {
        name: [value for model, value in zip(worst["model"], worst[column], strict=True) if methods.get(model) == name]
        for name in names
    }
    return [
        geometric_mean(values) if values and all(value > 0 for value in values) else None
        for values in by_method.values()
    ]
