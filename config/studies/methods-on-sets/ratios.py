"""Ratios of errors to those of random designs: their means and intervals, and how often these are at one side of 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import t as student


def interval(values: pd.Series) -> tuple[float, float, float]:
    """Return the mean and its 95 % interval (Student's t); without width for a single value."""
    if len(values) < 2:
        return values.mean(), np.nan, np.nan
    half = student.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values))
    return values.mean(), values.mean() - half, values.mean() + half


def in_words(values: pd.Series, transform: Callable[[float], float] = np.exp) -> str:
    """Return mean and interval, transformed."""
    mean, low, high = (transform(value) for value in interval(values))
    alone = f"{mean:.2f}"
    return alone if np.isnan(low) else f"{alone} ({low:.2f} to {high:.2f})"


def intervals(ratios: pd.Series, by: list[str]) -> pd.DataFrame:
    """Return mean, low and high of log ratios over splits, a row for each value of ``by``."""
    found = ratios.groupby(by).apply(interval)
    return pd.DataFrame(found.tolist(), index=found.index, columns=["mean", "low", "high"])


def better_and_worse(cases: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return in how many cases of each value of ``by`` the whole interval is below 1, and above."""
    whole = pd.DataFrame({"better": cases["high"] < 0, "worse": cases["low"] > 0})
    return whole.groupby(by).agg(lambda some: f"{some.sum()} of {len(some)}")


def markdown(table: pd.DataFrame, first: str = "method") -> str:
    """Return a table in Markdown."""
    rows = [[first, *map(str, table.columns)], ["---"] * (1 + table.shape[1])]
    rows += [[f"`{name}`", *row] for name, row in zip(table.index, table.fillna("–").values, strict=True)]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows) + "\n"
