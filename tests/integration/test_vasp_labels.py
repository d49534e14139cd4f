"""A study labelled by the engine vasp: a stand-in takes VASP's place, and fails as VASP does."""

import json
import sys

import numpy as np
import pytest

from conftest import ROOT
from gapdesign.engines.eam import EamEngine, EamOptions
from gapdesign.files import read_csv, read_frames

NEXT_STEP = "ALGO = Normal with linear mixing (AMIX = 0.1, BMIX = 0.0001), NELM = 200"


BUDGET = 4


@pytest.fixture
def by_vasp(workflow, configuration):
    """The small study, to be labelled by a stand-in."""
    library = workflow.folder / "potcars/Zr_sv"
    library.mkdir(parents=True)
    (library / "POTCAR").write_text(
        "  PAW_PBE Zr_sv 01Jan2000\n   VRHFIN =Zr: s2\n   TITEL  = PAW_PBE Zr_sv 01Jan2000\n   ZVAL   =   12.0\n"
        "End of Dataset\n"
    )
    configuration["budget"] = BUDGET
    configuration["pools"]["shard_size"] = 60
    configuration["labels"] |= {"engine": "vasp", "chunk": 2, "reserve": 6, "max_failed": 1}
    options = {"potcar": {"library": "potcars", "symbols": {"Zr": "Zr_sv"}}, "kpoints": {"length": 10}}

    def configure(*arguments):
        command = " ".join([sys.executable, str(ROOT / "tests/stand_in_vasp.py"), *map(str, arguments)])
        configuration["labels"]["vasp"] = options | {"command": command}
        workflow.configure(configuration)

    return configure


def test_a_design_keeps_its_budget_though_vasp_fails_at_first_or_always(workflow, by_vasp):
    """Electrons converge from the second attempt on, but in the largest cell of OPT, and those as large, never."""
    by_vasp()
    workflow.run(*(f"results/small/designs/{name}.extxyz" for name in ("OPT", "RND")))
    results = workflow.folder / "results/small"
    ranks = {
        name: read_frames(results / f"designs/{name}.extxyz") + read_frames(results / f"designs/reserve/{name}.extxyz")
        for name in ("OPT", "RND")
    }
    volumes = {name: [atoms.get_volume() / len(atoms) for atoms in frames] for name, frames in ranks.items()}
    most = sum(sorted(volumes["OPT"][:BUDGET])[-2:]) / 2
    by_vasp("electrons", "AMIX", most)
    workflow.run("labels")

    failed = read_csv(results / "labels/failed.csv")
    for name, frames in ranks.items():
        labelled = read_frames(results / f"labels/{name}.extxyz")
        expected = [rank for rank, volume in enumerate(volumes[name]) if volume < most][:BUDGET]
        assert len(expected) == BUDGET and [atoms.info["rank"] for atoms in labelled] == expected
        lost = [rank for rank in range(expected[-1]) if rank not in expected]
        rows = failed[failed["design"] == name]
        assert rows["rank"].tolist() == lost
        assert rows["candidate"].tolist() == [frames[rank].info["candidate"] for rank in lost]
        assert rows["directory"].tolist() == [f"results/small/labels/runs/{name}/{rank}-3" for rank in lost]
        check_labels(labelled)
    assert "OPT" in set(failed["design"])
    assert (failed["attempts"] == 4).all() and (failed["engine"] == "vasp").all()
    for reason in failed["reason"]:
        assert reason.startswith("as configured: vasprun.xml: the electrons did not converge in 100 steps (NELM).")
        assert f"{NEXT_STEP}: vasprun.xml: the electrons did not converge in 200 steps (NELM)." in reason
    for directory in failed["directory"]:
        kept = sorted(path.name for path in (workflow.folder / directory).iterdir())
        assert kept == ["INCAR", "KPOINTS", "POSCAR", "vasp.out", "vasprun.xml"]

    entries = [json.loads(path.read_text()) for path in (workflow.folder / "labels-store").rglob("*.json")]
    assert sum(entry["isolated"] for entry in entries) == 1 and len(entries) == 2 * BUDGET + 1
    for entry in entries:
        first, then = entry["attempts"]
        assert first.startswith("as configured: vasprun.xml: the electrons did not converge in 100 steps (NELM).")
        assert then == f"{NEXT_STEP}: a label"
        assert "Zr_sv" in entry["engine"]["version"] and "POTCAR" not in json.dumps(entry)
    assert workflow.plan("labels") == {}


def check_labels(frames):
    """Against the potential behind the stand-in; a vasprun.xml has eight decimals, of the stress in kilobar."""
    eam = EamEngine(EamOptions(potential="CuZr_mm.eam.fs"))
    for atoms in frames:
        label = eam.label(atoms)
        assert atoms.info["REF_energy"] == pytest.approx(label.energy, abs=1e-6)
        np.testing.assert_allclose(atoms.arrays["REF_forces"], label.forces, atol=1e-5)
        np.testing.assert_allclose(atoms.info["REF_virial"], label.virial.ravel(), atol=1e-5)
