"""Errors and cost of a NEP model of a labelled design.

    python benchmarks/nep_cells.py --labels results/zr-demo/labels/OPT1.extxyz
        --isolated results/zr-demo/labels/isolated.extxyz --test results/zr-demo/labels/RND1.extxyz --set epochs=50

It runs where torchnep and nep-adapters are. `--set` takes options of `models.nep` as the configuration has them, in
YAML. Errors are root mean squares; costs are CPU seconds of one core, beside those that the plan predicts. The unit
costs in models/nep/costs.py come from designs of small cells and of cells of 54 atoms, with several cut-offs and sizes
of the features, and few epochs (`--set epochs=4`).
"""

from __future__ import annotations

from model_cells import measure

from gapdesign.models.nep import NepPotential, costs

if __name__ == "__main__":
    measure(
        NepPotential, __doc__, lambda structures, atoms, found, options: costs.Work(structures, atoms, *found, options)
    )
