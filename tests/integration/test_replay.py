"""A whole replay of a part of the study si-surfaces, on its own data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import ROOT, Workflow
from gapdesign.config import study as config
from gapdesign.files import read_array, read_csv, read_frames, write_frames

pytestmark = [pytest.mark.data, pytest.mark.slow]

SURFACES = ("surface_111_3x3_das", "decohesion")


def data() -> Path:
    folder = Path(os.environ.get("GAPDESIGN_DATA", ROOT.parent / "shared/data")) / "si-gap-2018"
    if not folder.is_dir():
        pytest.skip(
            "set GAPDESIGN_DATA to a folder with si-gap-2018: the files that docs/si-surfaces.md says to download"
        )
    return folder


def frames(folder: Path, name: str, count: int | None = None):
    """The first frames of a file, with the labels that it has."""
    import gzip

    from ase.io import iread

    packed = folder / f"{name}.xyz.gz"
    path = folder / f"{name}.xyz"
    if packed.is_file():
        path = Path(os.environ["PYTEST_SCRATCH"]) / f"{name}.xyz"
        path.write_bytes(gzip.decompress(packed.read_bytes()))
    return list(iread(path, index=slice(0, count), format="extxyz"))


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Eight cells of bulk and twelve surfaces, in a small basis, with all else as in the study."""
    source, folder = data(), tmp_path_factory.mktemp("si-surfaces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_SCRATCH", str(folder))
        target = folder / "data/si-surfaces"
        target.mkdir(parents=True)
        write_frames(target / "dia.xyz", frames(source, "dia", 8))
        write_frames(target / "surfaces.xyz", [atoms for name in SURFACES for atoms in frames(source, name, 11)])
        write_frames(target / "isolated_atom.xyz", frames(source, "isolated_atom"))
    study = yaml.safe_load((ROOT / "config/studies/si-surfaces.yaml").read_text(encoding="utf-8"))
    study["pools"]["overrides"]["core"]["size"] = 8
    study["pools"]["overrides"]["surfaces"]["size"] = 12
    study["descriptor"]["soap"] |= {"n_max": 4, "l_max": 3}
    study["designs"] = {name: study["designs"][name] for name in ("RANDOM", "FPS", "BAYESIAN")}
    study["budget"] = 4
    study["replay"] |= {"budgets": [2, 4], "draws": 2, "points": 60}
    study["replay"]["surfaces"]["repeats"] = 2
    workflow = Workflow(folder)
    workflow.configure(study)
    workflow.run("replay")
    return workflow


def test_every_design_and_budget_is_judged(reduced: Workflow) -> None:
    errors = read_csv(reduced.folder / "results/si-surfaces/replay/errors.csv")
    everything = errors[(errors["test_set"] == "all") & (errors["group"] == "")]
    counts = everything.groupby(["method", "budget"]).size().to_dict()
    assert counts == {
        ("none", 0): 1, ("all", 12): 1, ("random", 2): 2, ("random", 4): 2,
        ("fps", 2): 1, ("fps", 4): 1, ("bayesian", 2): 1, ("bayesian", 4): 1,
    }  # fmt: skip
    force = everything.set_index("method")["force_rmse_mev"]
    assert force["all"] < force["none"]
    surfaces = read_csv(reduced.folder / "results/si-surfaces/replay/surface_energies.csv")
    assert len(surfaces) == 2 * len(everything)
    assert sorted(set(surfaces["plane"])) == [100, 111]
    assert reduced.plan("replay") == {}


def test_gap_fit_itself_predicts_the_same(reduced: Workflow) -> None:
    from gapdesign.models.gap.environments import boxed
    from gapdesign.models.gap.expansion import Expansion, Model
    from gapdesign.models.gap.template import calculator, gap_fit, with_coefficients
    from gapdesign.replay.labels import LabelFiles

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(reduced.folder)
        study = config.load("config.yaml")
        results = reduced.folder / "results/si-surfaces/replay"
        known = LabelFiles(study.labels.file)
        chosen = read_csv(results / "choices/FPS.csv").query("budget == 4")["candidate"]
        surfaces = read_frames("data/si-surfaces/surfaces.xyz")
        frames = [*read_frames("data/si-surfaces/dia.xyz"), *(surfaces[k] for k in chosen)]
    model = Model(soap=study.descriptor.soap, kernel=study.kernel, transition=0.5, jitter=1e-8)
    for atoms in frames:
        names = study.labels.file
        atoms.info = {
            "config_type": "x",
            "REF_energy": atoms.info[names.energy_key],
            **({"REF_virial": np.ravel(atoms.info["dft_virial"])} if "dft_virial" in atoms.info else {}),
        }
        atoms.arrays["REF_forces"] = atoms.arrays.pop(names.forces_key)
        for name in set(atoms.arrays) - {"numbers", "positions", "REF_forces"}:
            del atoms.arrays[name]
    theirs = gap_fit(
        Expansion.read(results / "points.npz"),
        model,
        boxed(known.atoms(), cutoff=5.0),
        frames,
        energy=study.replay.energy_sigma,
        force=study.model.sigma.force,
        virial=study.model.sigma.virial,
    )
    ours = with_coefficients((results / "start.xml").read_text(), read_array(results / "fits/FPS.npy")[-1])
    told = {}
    for name, text in (("gap_fit", theirs), ("replay", ours)):
        potential = calculator(text)
        values = []
        for atoms in surfaces:
            copy = atoms.copy()
            copy.calc = potential
            values.append((copy.get_potential_energy() / len(copy), copy.get_forces()))
        told[name] = values
    for (energy, forces), (mine, own_forces) in zip(told["gap_fit"], told["replay"], strict=True):
        assert mine == pytest.approx(energy, abs=1e-6)
        np.testing.assert_allclose(own_forces, forces, atol=1e-4)
