"""The cost of a study, as the page shows it: labels by design, and everything else by stage.

All of it is estimated. The time that a run took depends on machines and on earlier results, and no page that is the
same every time it is made can hold it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from gapdesign.engines import ENGINES
from gapdesign.report.headline import worst_off_sample

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Estimate:
    """Cost of the stages of a study, from unit costs.

    Parameters
    ----------
    stages
        Stage to its jobs and their core-hours, None if unknown, in order.
    machine
        Machine that the unit costs were measured on.
    """

    stages: Mapping[str, tuple[int, float | None]]
    machine: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Estimate:
        """Read the output of the verb `estimate`."""
        stages = {name: (stage["jobs"], stage["core_hours"]) for name, stage in document["stages"].items()}
        return cls(stages, document["machine"])


def cost(
    quality: pd.DataFrame,
    labelled: Mapping[str, Sequence[int]],
    errors: pd.DataFrame,
    estimate: Estimate | None,
    configuration: Mapping[str, Any],
) -> dict[str, Any]:
    """Gather the page's section on costs.

    Parameters
    ----------
    quality, errors
        The tables ``quality.csv`` and ``crossval/errors.csv``.
    labelled
        Design to the ranks that have a label.
    estimate
        Cost of the stages.
    configuration
        The whole configuration.

    Returns
    -------
    dict
        ``designs`` with labels, core-hours in total and per label, and the worst off-sample quantile of the model;
        ``labels``, the core-hours of all; ``stages`` with jobs and core-hours; ``machine``; ``engine``, and whether it
        ``computes``.
    """
    worst = {row["model"]: row["q99_mev"] for row in worst_off_sample(errors).to_dict("records")}
    rows = []
    for row in quality.to_dict("records"):
        hours = float(row.get("label_core_hours", nan))
        rows.append({
            "design": row["design"], "labels": len(labelled.get(row["design"], ())), "hours": hours,
            "each": hours / row["size"] if row["size"] else nan, "worst": worst.get(row["design"]),
        })  # fmt: skip
    known = all(isfinite(row["hours"]) for row in rows) and rows
    labels = sum(row["hours"] for row in rows) if known else nan
    stages = [
        {"stage": name, "jobs": jobs, "hours": labels if name == "labels" else nan if hours is None else hours}
        for name, (jobs, hours) in (estimate.stages.items() if estimate else ())
        if jobs
    ]
    engine = (configuration.get("labels") or {}).get("engine", "")
    machine = estimate.machine if estimate else ""
    computes = engine not in ENGINES or ENGINES[engine].computes
    costs = {"designs": rows, "labels": labels, "stages": stages}
    return {**costs, "machine": machine, "engine": engine, "computes": computes}
