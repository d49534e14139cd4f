"""The figure of the training of models, for kinds that are trained in steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gapdesign.report.figures import legend
from gapdesign.report.style import house_style, line_styles, plain_logarithms

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PANELS = {
    "energy_mev": "energies kept back, RMSE (meV/atom)",
    "forces_mev": "forces kept back, RMSE (meV/Å)",
}
"""Columns of ``training.csv`` that are drawn."""


@house_style()
def training_figure(trainings: Mapping[str, pd.DataFrame], methods: Mapping[str, str]) -> Figure:
    """Draw the errors on the structures that were kept back against the epoch; a dot is the epoch that was kept.

    Parameters
    ----------
    trainings
        Design to its ``training.csv``.
    methods
        Design to method.
    """
    from matplotlib.figure import Figure

    figure, styles = Figure(figsize=(7.2, 3.4), layout="constrained"), line_styles(methods)
    for axes, (column, label) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for design, table in trainings.items():
            known = table[table[column] > 0]  # forces that symmetry holds at zero say nothing
            axes.plot(known["epoch"], known[column], **styles[design])
            kept = known[known["kept"] == 1]
            axes.plot(kept["epoch"], kept[column], "o", color=styles[design]["color"], markersize=4)
        axes.set(xlabel="epoch", ylabel=label, yscale="log")
        plain_logarithms(axes.yaxis)
    legend(figure, {design: methods[design] for design in trainings})
    return figure
