"""Linear ACE in the replay: a training set of its sums has the coefficients of the fit itself.

It needs ace-jax, in an environment of its own: see docs/models.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from gapdesign.errors import InputError
from gapdesign.inputs.labels import Values
from gapdesign.models.ace import AcePotential, AcePotentialOptions
from gapdesign.models.ace.linear import LINEAR, AceFunctions, AceWeights
from gapdesign.models.ace.predict import evaluator
from gapdesign.replay.labels import row

OPTIONS = AcePotentialOptions(order=2, degree=6, r_cut=4.8, starts=2)
ALONE = {"Cu": 0.5}


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    """Rattled copper and crystals without forces; not all have a virial."""
    rng, found = np.random.default_rng(4), []
    for k in range(9):
        atoms = bulk("Cu", "fcc", a=3.4 + 0.06 * k, cubic=k % 3 > 0)
        if len(atoms) > 1:
            atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        atoms.calc = EMT()
        atoms.info["REF_energy"] = atoms.get_potential_energy() + len(atoms) * ALONE["Cu"]
        atoms.arrays["REF_forces"] = atoms.get_forces()
        if k % 2:
            atoms.info["REF_virial"] = (-atoms.get_volume() * atoms.get_stress(voigt=False)).ravel()
        atoms.calc = None
        found.append(atoms)
    return found


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> tuple[AceFunctions, Path]:
    pytest.importorskip("ace_jax")
    path = tmp_path_factory.mktemp("ace") / "points.npz"
    made = AceFunctions(order=2, degree=6, r_cut=4.8, species=(29,))
    made.choose(lambda: [], path)
    return made, path


def labelled(atoms: Atoms) -> np.ndarray:
    virial = atoms.info.get("REF_virial")
    return row(
        Values(
            energy=atoms.info["REF_energy"],
            forces=atoms.arrays["REF_forces"],
            virial=None if virial is None else virial.reshape(3, 3),
        ),
        atoms,
        ALONE,
    )


def test_a_training_set_that_grew_predicts_what_the_fit_predicts(frames, functions, tmp_path):
    made, path = functions
    isolated = [Atoms("Cu", info={"REF_energy": ALONE["Cu"]})]
    weights, rows = AceWeights(options=OPTIONS), made.rows(path)
    parts = [(rows(atoms), labelled(atoms), len(atoms)) for atoms in frames]
    training = weights.begin(made, path, isolated).add(parts[:1]).add(parts[1:4])
    training.write(tmp_path / "start.npz")
    training = weights.read(tmp_path / "start.npz").add(parts[4:])
    weights.template(made, path, isolated, training, tmp_path / "start-ace.npz")
    LINEAR.write(tmp_path / "start-ace.npz", training.coefficients(), tmp_path / "replayed.npz")

    model, rng = AcePotential(OPTIONS, (29,)), np.random.default_rng(0)
    found = model.hyperparameters(frames, isolated, rng=rng, tell=lambda _: None)
    files = [tmp_path / "ace.npz", tmp_path / "ace.yace"]
    model.fit(frames, isolated, found, files, rng=rng, memory=None, tell=lambda _: None)
    replayed, fitted = evaluator(tmp_path / "replayed.npz"), evaluator(tmp_path / "ace.npz")
    calculator = LINEAR.calculator(tmp_path / "start-ace.npz", training.coefficients())
    for atoms in frames:
        mine, others = replayed(atoms), fitted(atoms)
        assert mine.energy == pytest.approx(others.energy, abs=1e-4)
        np.testing.assert_allclose(mine.forces, others.forces, atol=1e-4)
        assert calculator.get_potential_energy(atoms) == mine.energy
    LINEAR.write(tmp_path / "start-ace.npz", training.coefficients(), tmp_path / "replayed.yace")
    assert (tmp_path / "replayed.yace").read_text().startswith("elements")


def test_without_a_label_all_coefficients_are_zero(functions):
    made, path = functions
    start = AceWeights(options=OPTIONS).begin(made, path, [])
    assert not start.coefficients().any()


def test_a_damaged_start_is_refused(functions, tmp_path):
    (tmp_path / "start.npz").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match=r"start\.npz"):
        AceWeights(options=OPTIONS).read(tmp_path / "start.npz")
