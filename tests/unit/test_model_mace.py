"""Potentials by MACE: labels and their statistics, what the training says, and small models by mace-torch.

Training needs mace-torch, in an environment of its own: see docs/features.md. Labels are ASE's effective medium theory.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign.config.part import At
from gapdesign.config.study import parse
from gapdesign.errors import InputError, ProgramError
from gapdesign.models.base import Load
from gapdesign.models.mace import MacePotential, data, program
from gapdesign.models.mace.options import MacePotentialOptions, MaceWeightOptions
from gapdesign.models.shared.labels import arrays, kept_back
from mace_files import written
from strained_copper import check_derivatives, labelled, strained

SMALL = {"channels": 2, "layers": 1, "r_cut": 3.0, "batch_size": 4}


@pytest.fixture
def frames() -> list[Atoms]:
    return strained()


@pytest.fixture
def fake(tmp_path) -> Callable[..., str]:
    """A function that writes a file like a model's."""
    return partial(written, tmp_path)


@pytest.fixture
def isolated() -> list[Atoms]:
    return [labelled(Atoms("Cu", cell=[20, 20, 20]))]


def potential(**options: object) -> MacePotential:
    return MacePotential(MacePotentialOptions(**{**SMALL, **options}), [29])


def test_what_labels_determine(frames, isolated):
    """Neighbours are those of repeated cells; the scale is that of virials, since cells of one atom have no forces."""
    found = potential().statistics(frames, isolated)
    counts = []
    for atoms in frames:
        around = atoms.repeat(7)
        middle = len(atoms) * (7**3 // 2)
        for k in range(len(atoms)):
            counts.append((around.get_distances(middle + k, range(len(around))) < 3.0).sum() - 1)
    assert found["neighbours"] == pytest.approx(np.mean(counts), rel=1e-12)
    virials = [atoms.info["REF_virial"] / len(atoms) for atoms in frames]
    assert found["scale"] == pytest.approx(np.sqrt(np.mean(np.square(virials))))
    assert found["isolated"] == {"Cu": isolated[0].info["REF_energy"]}
    assert (found["noise"], found["at_bound"]) == (None, [])
    for atoms in frames:
        del atoms.info["REF_virial"]
    forces = np.concatenate([atoms.arrays["REF_forces"] for atoms in frames])
    assert potential().statistics(frames, isolated)["scale"] == pytest.approx(np.sqrt(np.mean(forces**2)))
    assert data.mean_neighbours([Atoms("Cu")], 3.0) == 1


def test_structures_kept_back_are_spread_over_the_order_of_a_design():
    assert kept_back(100, 0.1, "a") == [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]
    assert kept_back(24, 0.1, "a") == [6, 18]
    assert kept_back(3, 0.01, "a") == [1]
    for count in range(2, 60):
        chosen = kept_back(count, 0.3, "a")
        assert len(set(chosen)) == max(1, round(0.3 * count)) and min(chosen) >= 0 and max(chosen) < count


def refusal(frames: list[Atoms], isolated: list[Atoms], **options: object) -> str:
    with pytest.raises(InputError) as caught:
        potential(**options).statistics(frames, isolated)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text
    return text


def test_labels_that_cannot_be_fitted_are_named(frames, isolated):
    assert refusal(frames[:1], isolated).startswith("models.mace.validation: of 1 labelled structures 1 are kept back")
    assert refusal(frames, isolated, validation=0.95).startswith("models.mace.validation: of 8 labelled structures 8")
    assert refusal([], isolated).startswith("labels: the design has no labelled structure")
    assert refusal(frames, []) == "isolated atoms: none for Cu; give one frame for every element."
    assert "Cu comes twice" in refusal(frames, isolated * 2)
    assert refusal(frames, frames[1:2]).startswith("isolated atoms: found Cu2 with keys")
    broken = [atoms.copy() for atoms in frames]
    broken[1].arrays["REF_forces"][1, 2] = np.nan
    assert refusal(broken, isolated).startswith("labels: REF_forces of structure 1 (Cu2) is not 6 finite numbers;")
    broken = [atoms.copy() for atoms in frames]
    broken[2].info["REF_energy"] = np.inf
    assert refusal(broken, isolated).startswith("labels: REF_energy of structure 2 (Cu) is not a finite number;")
    broken[2].info["REF_energy"], broken[2].info["REF_virial"] = 0.0, np.zeros(6)
    assert refusal(broken, isolated).startswith("labels: REF_virial of structure 2 (Cu) is not 9 finite numbers;")
    del broken[0].arrays["REF_forces"]
    assert refusal(broken, isolated) == "labels: structure 0 (Cu) has no REF_forces; label the design again."


def test_the_model_to_start_from_is_checked_before_any_job(fake):
    def refused(path: str, species: list[int]) -> str:
        with pytest.raises(InputError) as caught:
            MacePotential.check(MacePotentialOptions(start=path), species)
        return str(caught.value)

    path = fake()
    MacePotential.check(MacePotentialOptions(start=path), [29, 40])
    assert MacePotential.inputs(MacePotentialOptions(start=path)) == (path,)
    assert MacePotential.inputs(MacePotentialOptions()) == ()
    assert refused("none.model", [29]).startswith("models.mace.start: no file 'none.model'")
    assert refused(path, [29, 22]) == f"models.mace.start: '{path}' knows no Ti; name another model."
    assert refused(fake("PolarMACE"), [29]).startswith(f"models.mace.start: '{path}' is no model of energies by MACE")
    assert refused(fake(cut=30), [29]).startswith(f"models.mace.start: '{path}' is damaged")
    assert "has 2 heads (a, b); take one of them out with `mace_select_head`" in refused(fake(heads=("a", "b")), [29])


def test_hyperparameters_of_other_options_are_refused(frames, isolated, monkeypatch, tmp_path):
    monkeypatch.setattr(program, "find_spec", lambda name: name)
    found = potential().statistics(frames, isolated)
    with pytest.raises(InputError, match=r"^hyperparameters\.json: found for r_cut 3\.0, but .* 4\.0; run the stage"):
        fitted(potential(r_cut=4.0), frames, isolated, tmp_path, found)


def fitted(
    model: MacePotential, frames: list[Atoms], isolated: list[Atoms], folder: Path, found: dict | None = None
) -> Path:
    """Fit with a fixed seed; return the model's file."""
    outputs = [folder / name for name in model.files]
    found = model.statistics(frames, isolated) if found is None else found
    model.fit(frames, isolated, found, outputs, rng=np.random.default_rng(1), memory=None, tell=print)
    return outputs[0]


def test_a_missing_package_says_how_it_comes(frames, isolated, monkeypatch, tmp_path):
    monkeypatch.setattr(program, "find_spec", lambda name: None)
    expected = r"^models\.mace: mace-torch is not installed; run `pip install mace-torch=="
    with pytest.raises(InputError, match=expected):
        potential().hyperparameters(frames, isolated, rng=np.random.default_rng(1), tell=print)
    with pytest.raises(InputError, match=expected):
        fitted(potential(), frames, isolated, tmp_path)


def test_the_family_is_known_without_torch():
    code = "import sys, gapdesign.models.mace; sys.exit('torch' in sys.modules or 'mace' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def at(**options: object) -> At:
    study = {
        "prototypes": {"bcc": {"element": "Zr", "lattice": "bcc", "a": 3.574}},
        "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
        "model": {"kind": "mace", "mace": options},
    }
    return At(parse(study), design_name="OPT")


def test_the_plan_follows_the_size_of_the_model_and_of_the_structures():
    """By the laws of costs.py, which benchmarks/mace_cells.py measures."""
    load = Load(structures=100, atoms=50.0, density=0.05, environments=50.0, species=1)
    base = MacePotential.seconds(at(), load)
    assert MacePotential.seconds(at(epochs=300), load).fit == pytest.approx(2 * base.fit)
    assert MacePotential.seconds(at(layers=4), load).fit == pytest.approx(2 * base.fit)
    assert MacePotential.seconds(at(channels=64), load).fit > base.fit
    assert MacePotential.seconds(at(max_L=1), load).predict > base.predict
    assert MacePotential.seconds(at(start="a.model"), load) is None
    assert MacePotential.seconds(at(device="cuda"), load) is None
    assert MacePotential.megabytes(at(batch_size=100, channels=2000)) > MacePotential.megabytes(at()) == 4000
    assert MacePotential.minutes(at(epochs=1_000_000)) > MacePotential.minutes(at()) == 240


def test_a_training_that_needs_more_memory_than_it_may_use_is_refused(frames, isolated, monkeypatch, tmp_path):
    monkeypatch.setattr(program, "find_spec", lambda name: name)
    model, outputs = potential(), [tmp_path / "a", tmp_path / "b"]
    found = model.statistics(frames, isolated)
    with pytest.raises(InputError, match=r"^models\.mace\.batch_size: this training needs 6\d\d MiB and may use 100;"):
        model.fit(frames, isolated, found, outputs, rng=np.random.default_rng(1), memory=100, tell=print)


COUNTS = '{"energies": 8, "forces": 36, "virials": 48}'


def said(monkeypatch: pytest.MonkeyPatch, folder: Path, frames: list[Atoms], code: str) -> program.Trained:
    """What is made of the output of a program that says this in place of the training."""
    script = folder / "said.py"
    script.write_text(f"import sys\nfrom pathlib import Path\n{code}")
    monkeypatch.setattr(program, "PROGRAM", script)
    return program.train({"epochs": 2}, arrays(frames), print)


def row(epoch: int, loss: float) -> str:
    more = ", ".join(f'"{name}": 1.5' for name in ("training_loss", "energy_mev", "forces_mev", "virials_mev"))
    more += f', "seconds": {10 + 2 * epoch}'
    return f'print(\'{{"epoch": {epoch}, "validation_loss": {loss}, {more}}}\')\n'


def test_the_table_marks_the_epoch_that_was_kept(frames, monkeypatch, tmp_path):
    code = f"print('noise of MACE')\nprint('{COUNTS}')\n" + row(0, 3.0) + row(1, 0.5) + row(2, 0.7)
    trained = said(monkeypatch, tmp_path, frames, code + "Path(sys.argv[1], 'mace.model').write_bytes(b'made')")
    assert trained.model == b"made"
    assert trained.epochs["kept"].tolist() == [0, 1, 0]
    assert trained.epochs["epoch"].tolist() == [0, 1, 2]
    assert trained.seconds == 2
    assert "seconds" not in trained.epochs


def test_a_training_that_fails_is_told_in_its_own_words(frames, monkeypatch, tmp_path):
    with pytest.raises(ProgramError, match=r"^MACE's training ended with status 3; its last lines were:\nno memory"):
        said(monkeypatch, tmp_path, frames, "print('no memory', file=sys.stderr)\nsys.exit(3)")
    with pytest.raises(ProgramError, match=r"^MACE was given 36 forces and used 35\."):
        said(monkeypatch, tmp_path, frames, f"print('{COUNTS.replace('36', '35')}')")
    with pytest.raises(InputError, match=r"^models\.mace\.device: torch finds no GPU here; "):
        said(monkeypatch, tmp_path, frames, 'print(\'{"mistake": "device"}\')')
    with pytest.raises(InputError, match=r"^models\.mace\.learning_rate: the loss after epoch 4 is not finite; "):
        said(monkeypatch, tmp_path, frames, f'print(\'{COUNTS}\')\nprint(\'{{"mistake": "diverged", "epoch": 4}}\')')


def test_files_that_are_no_models_are_refused_in_one_sentence(fake, tmp_path):
    missing = tmp_path / "none.model"
    with pytest.raises(InputError, match=r"none\.model: no such potential; fit the model again\.$"):
        MacePotential.evaluator(missing)
    with pytest.raises(InputError, match=r"mine\.model' is damaged"):
        MacePotential.evaluator(Path(fake(cut=30)))
    with pytest.raises(InputError, match=r"is no model of energies by MACE, but of the class system;"):
        MacePotential.evaluator(Path(fake("system")))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with two models of the same training, which saw virials alone."""
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("mace", reason="mace-torch is not installed")
    return tmp_path_factory.mktemp("trained")


ON_VIRIALS = {"epochs": 20, "learning_rate": 0.05, "weights": MaceWeightOptions(energies=0, forces=0, virials=1)}


@pytest.fixture
def model(trained, frames, isolated) -> Path:
    """The file of a model that was trained on virials alone."""
    if not (trained / "mace.model").exists():
        fitted(potential(**ON_VIRIALS), frames, isolated, trained)
    return trained / "mace.model"


@pytest.mark.slow
def test_two_trainings_write_the_same_bytes(model, frames, isolated, tmp_path):
    again = fitted(potential(**ON_VIRIALS), frames, isolated, tmp_path)
    assert again.read_bytes() == model.read_bytes()
    assert again.with_name("training.csv").read_bytes() == model.with_name("training.csv").read_bytes()


def test_virials_have_the_sign_and_the_unit_of_labels(model, frames):
    """Labels by another program, and a model that saw nothing else: it predicts them better than it would zeros."""
    evaluate = MacePotential.evaluator(model)
    labels = np.array([atoms.info["REF_virial"].reshape(3, 3) for atoms in frames])
    errors = labels - [evaluate(atoms).virial for atoms in frames]
    assert np.sqrt(np.mean(errors**2)) < 0.5 * np.sqrt(np.mean(labels**2))


def test_forces_and_virials_are_derivatives_of_energies(model, frames):
    check_derivatives(MacePotential.evaluator(model), frames[1])


def test_atoms_alone_slabs_and_clusters(model, isolated):
    evaluate = MacePotential.evaluator(model)
    alone = evaluate(Atoms("Cu"))
    assert alone.energy == pytest.approx(isolated[0].info["REF_energy"], abs=1e-12)
    assert alone.virial is None
    slab = bulk("Cu", "fcc", a=3.6, cubic=True)
    slab.pbc = [True, True, False]
    wide = slab.copy()
    wide.set_cell(slab.cell.array * [1, 1, 9])
    np.testing.assert_allclose(evaluate(wide).forces, evaluate(slab).forces, atol=1e-12)
    assert evaluate(wide).virial == pytest.approx(evaluate(slab).virial, abs=1e-12)
    flat = slab.copy()
    flat.cell[2] = 0
    assert evaluate(flat).energy == pytest.approx(evaluate(slab).energy, abs=1e-12)
    with pytest.raises(InputError, match=r"the model knows no Zr; "):
        evaluate(Atoms("Zr"))


def test_mace_and_its_conversion_for_lammps_load_the_file(model, frames):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from mace.calculators import LAMMPS_MACE, MACECalculator

        theirs = MACECalculator(model_paths=str(model), device="cpu", default_dtype="float64")
        assert LAMMPS_MACE(torch.load(model, weights_only=False)).r_max == 3.0
        atoms = frames[1].copy()
        atoms.calc = theirs
        found = MacePotential.evaluator(model)(atoms)
        assert found.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
        np.testing.assert_allclose(found.forces, atoms.get_forces(), atol=1e-12)
        np.testing.assert_allclose(found.virial, -atoms.get_volume() * atoms.get_stress(voigt=False), atol=1e-12)


@pytest.mark.slow
def test_training_goes_on_from_a_file_with_energies_of_other_atoms(model, frames, isolated, tmp_path):
    """Without virials, and in single precision."""
    for atoms in (*frames, *isolated):
        atoms.info["REF_energy"] += 7.0 * len(atoms)
        atoms.info.pop("REF_virial", None)
    options = {"start": str(model), "epochs": 2, "learning_rate": 1e-3, "dtype": "float32"}
    found = potential(**options).statistics(frames, isolated)
    assert (found["neighbours"], found["scale"]) == (None, None)
    tuned = fitted(potential(**options), frames, isolated, tmp_path, found)
    assert MacePotential.evaluator(tuned)(Atoms("Cu")).energy == pytest.approx(isolated[0].info["REF_energy"], rel=1e-6)
    before, after = MacePotential.evaluator(model), MacePotential.evaluator(tuned)
    changes = [after(atoms).energy - before(atoms).energy - 7.0 * len(atoms) for atoms in frames]
    assert 0 < np.abs(changes).max() < 1
