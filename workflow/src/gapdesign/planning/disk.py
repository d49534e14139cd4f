"""Disk space that a study fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gapdesign.config.study import Study
from gapdesign.planning.costs import Sizes
from gapdesign.planning.jobs import Jobs

STRUCTURE, ATOM = 171, 32
"""Bytes of a candidate and of each of its atoms (see :class:`gapdesign.structures.Batch`)."""

FRAME, FRAME_ATOM = 450, 130
"""Bytes, rounded up, of a labelled structure and of each of its atoms as extended XYZ text."""

PREDICTION, PREDICTED_ATOM = 290, 55
"""Bytes of a structure that a model is tested on, in two tables, and of the forces on each of its atoms."""

COPIES = 4
"""A label is written to the store, to its batch and to its design; the design itself has no label yet."""


def disk(jobs: list[Jobs], study: Study, sizes: Sizes, units: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes of a whole study by stage; of features alone where the size of its structures is unknown.

    Parameters
    ----------
    jobs : list of Jobs
        From :func:`gapdesign.planning.jobs.by_rule`.
    study : Study
    sizes : Sizes
    units : mapping
        From :func:`gapdesign.planning.units.shipped`.
    """
    amounts = Counter({entry.rule: sum(entry.amounts) for entry in jobs})
    if not sizes.known:
        return {"descriptors": 4 * amounts["descriptors_shard"] * sizes.dimension}
    candidates, designs, chosen = amounts["candidates_shard"], len(study.designs), sum(study.budgets().values())
    reference = units["reference"]
    floats = sizes.dimension
    if study.kernel.structure != "average":
        layout = study.covariance().layout
        floats += sizes.environments * layout.spectrum
    environments = chosen * sizes.environments * sizes.dimension / reference["dimension"]
    return {
        "candidates": round(candidates * (STRUCTURE + ATOM * sizes.atoms)),
        "descriptors": round(4 * amounts["descriptors_shard"] * floats),
        "design": round(
            amounts["design_compress"] * units["bytes"]["compressed"] * sizes.dimension / reference["dimension"]
            + chosen * (FRAME + FRAME_ATOM * sizes.atoms + 4 * sizes.dimension)
        ),
        "labels": round(COPIES * chosen * (FRAME + FRAME_ATOM * sizes.atoms)),
        "models": round(environments * units["bytes"]["environment"]),
        "crossval": round(designs * chosen * (PREDICTION + PREDICTED_ATOM * sizes.atoms)),
    }
