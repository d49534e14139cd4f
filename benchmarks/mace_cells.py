"""Errors and cost of a MACE model of a labelled design.

    python benchmarks/mace_cells.py --labels results/zr-demo/labels/OPT1.extxyz
        --isolated results/zr-demo/labels/isolated.extxyz --test results/zr-demo/labels/RND1.extxyz --set epochs=50

It runs in the environment of mace-torch. `--set` takes options of `models.mace` as the configuration has them, in
YAML. Errors are root mean squares; costs are CPU seconds of one core, beside those that the plan predicts. The unit
costs in models/mace/costs.py come from designs of small cells and of cells of 54 atoms, with several numbers of
channels, two values of `max_L`, and few epochs (`--set epochs=4`).
"""

from __future__ import annotations

from model_cells import measure

from gapdesign.models.mace import MacePotential, costs

if __name__ == "__main__":
    measure(MacePotential, __doc__, costs.Work)
