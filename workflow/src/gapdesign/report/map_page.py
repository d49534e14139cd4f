"""The page of maps: each pool with its designs, where a point that is clicked shows its structure."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.report.map_structures import CANDIDATE, X, Y, structure_property, text
from gapdesign.report.template import fill

if TYPE_CHECKING:
    import pandas as pd

VIEWER = files(__package__).joinpath("viewer")
"""Folder of chemiscope's viewer, and of its licences."""

_PLACE = "/* the viewer */"

LARGEST = "largest energy error"
"""Property with the largest error of all models."""


def read(paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Read the map of each pool, in the folder of its name."""
    from gapdesign.files import read_json

    return {path.parent.name: read_json(path) for path in paths}


def with_errors(dataset: Mapping[str, Any], pool: str, predictions: pd.DataFrame) -> dict[str, Any]:
    """Add the errors of models to the map of a pool, and colour it by the largest of them.

    Parameters
    ----------
    dataset, pool
        The map of a pool, and its name.
    predictions
        The table ``crossval/predictions.csv``.

    Returns
    -------
    dict
        The map, with a property per model and quantity: the size of its energy error and the root-mean-square error
        of its forces, of every structure with a label; others have none. Unchanged if none of its structures has one.
    """
    mine = predictions[predictions["pool"].astype(str) == pool].drop_duplicates(["model", CANDIDATE])
    candidates = dataset["properties"][CANDIDATE]["values"]
    energies = mine.assign(size=mine["error_mev"].abs()).pivot(index=CANDIDATE, columns="model", values="size")
    forces = mine.pivot(index=CANDIDATE, columns="model", values="rmse_force_mev_a")
    order = list(dict.fromkeys(mine["model"]))
    columns = [(LARGEST, energies.max(axis=1), "largest of all models", "meV/atom")]
    columns += [
        (f"energy error of {m}", energies[m], "predicted minus labelled, without sign", "meV/atom") for m in order
    ]
    columns += [(f"force error of {m}", forces[m], "root-mean-square over components", "meV/Å") for m in order]
    added = {}
    for name, column, described, units in columns:
        values = column.reindex(candidates).astype(float).tolist()
        if np.isfinite(values).any():
            added[name] = structure_property(values, described, units)
    if not added:
        return dict(dataset)
    settings = dataset["settings"]
    colour = settings["map"]["color"] | {"property": LARGEST}
    return {
        **dataset,
        "properties": dataset["properties"] | added,
        "settings": settings | {"map": settings["map"] | {"color": colour}},
    }


def render(study: str, datasets: Sequence[Mapping[str, Any]], *, back: str) -> str:
    """Write the page of the maps.

    Parameters
    ----------
    study
        Name of the study.
    datasets
        Map of each pool.
    back
        Page beside it that links to it.

    Returns
    -------
    str
        One self-contained HTML document that loads nothing. The viewer is most of it: 3.2 MB.
    """
    from markupsafe import Markup

    script = gzip.decompress(VIEWER.joinpath("chemiscope.min.js.gz").read_bytes()).decode("utf-8")
    licences = VIEWER.joinpath("chemiscope.min.js.LICENSE.txt").read_text(encoding="utf-8")
    page = fill(
        "map.html.j2",
        title=f"{study}: maps",
        study=study,
        maps=[
            {
                "name": dataset["meta"]["name"],
                "shown": dataset["meta"]["description"],
                "colours": [name for name in dataset["properties"] if name not in (X, Y)],
                "colour": dataset["settings"]["map"]["color"]["property"],
            }
            for dataset in datasets
        ],
        back=back,
        viewer=Markup(_PLACE),
        datasets=Markup(_in_script([dict(dataset) for dataset in datasets])),
    )
    # Its strings hold control characters, which templates take out of a page.
    return page.replace(_PLACE, f"{licences}\n{script}", 1)


def _in_script(value: Any) -> str:
    """Return an expression of JavaScript that ends no script, whatever the names in it are."""
    return text(value).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").strip()
