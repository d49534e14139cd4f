"""An alloy from candidates to report: copper and zirconium."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ase.io import read


def test_an_alloy_runs_to_the_report(workflow, configuration):
    configuration |= {
        "study": "alloy",
        "prototypes": {
            "b2": {"element": "CuZr", "lattice": "cesiumchloride", "a": 3.26},
            "copper": {"element": "Cu", "lattice": "fcc", "a": 3.61},
            "hcp": {"element": "Zr", "lattice": "hcp", "a": 3.232, "c": 5.147},
        },
        "descriptor": {"soap": {"r_cut": 4.5, "n_max": 3, "l_max": 3, "sigma": 0.5}},
        "budget": 12,
        "labels": {"engine": "eam", "chunk": 12, "eam": {"potential": "CuZr_mm.eam.fs"}},
        "properties": {"compute": ["lattice"]},
        "quality": {"subpools": 0},
    }
    configuration["pools"]["shard_size"] = 60
    workflow.configure(configuration)
    workflow.run()
    folder = workflow.folder / "results/alloy"

    frames = read(folder / "labels/OPT.extxyz", ":")
    assert {"".join(sorted(set(atoms.symbols))) for atoms in frames} == {"Cu", "CuZr", "Zr"}
    isolated = read(folder / "labels/isolated.extxyz", ":")
    assert [str(atoms.symbols) for atoms in isolated] == ["Cu", "Zr"]

    # The potential is what LAMMPS and ASE load: it knows both elements and tells their compound from a mixture.
    from quippy.potential import Potential

    potential = Potential("IP GAP", param_filename=str(folder / "models/OPT/gp.xml"))
    predictions = pd.read_csv(folder / "crossval/predictions.csv")
    own = predictions[(predictions.model == "OPT") & (predictions.test_set == "OPT")]
    for atoms, predicted in zip(frames, own.predicted_ev, strict=True):
        bare = atoms.copy()
        bare.calc = potential
        assert np.isclose(bare.get_potential_energy() / len(bare), predicted, atol=1e-9)
        assert np.isclose(predicted, atoms.info["REF_energy"] / len(atoms), atol=0.1)
    assert np.ptp(own.reference_ev) > 1
    assert "CuZr_mm.eam.fs" in (folder / "report.html").read_text()
