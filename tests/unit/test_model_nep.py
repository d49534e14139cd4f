"""Neuroevolution potentials: the files of a training, what it says, and small models by torchnep.

Training needs torchnep, and predictions nep-adapters: see docs/models.md.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read
from pydantic import ValidationError

from gapdesign.config.part import At
from gapdesign.config.study import parse
from gapdesign.descriptors.neuroevolution import header, refuse_unsound
from gapdesign.errors import InputError, ProgramError
from gapdesign.models.base import Load
from gapdesign.models.nep import NepPotential, data, program
from gapdesign.models.nep.options import NepPotentialOptions, NepWeightOptions
from gapdesign.models.shared.labels import arrays
from strained_copper import check_derivatives, labelled, strained

SMALL = {"r_cut": 4.0, "r_cut_angular": 4.0, "n_max": 4, "basis_size": 8, "l_max": 2, "neurons": 20, "batch_size": 4}


@pytest.fixture
def frames() -> list[Atoms]:
    return strained()


@pytest.fixture
def isolated() -> list[Atoms]:
    return [labelled(Atoms("Cu", cell=[20, 20, 20]))]


def potential(**options: object) -> NepPotential:
    return NepPotential(NepPotentialOptions(**{**SMALL, **options}), [29])


def test_what_labels_determine(frames, isolated):
    found = potential(r_cut_angular=3.0).statistics(frames, isolated)
    for r_cut, mean in zip((4.0, 3.0), found["neighbours"], strict=True):
        counts = []
        for atoms in frames:
            around, middle = atoms.repeat(7), len(atoms) * (7**3 // 2)
            counts += [
                (around.get_distances(middle + k, range(len(around))) < r_cut).sum() - 1 for k in range(len(atoms))
            ]
        assert mean == pytest.approx(np.mean(counts), rel=1e-12)
    assert found["isolated"] == {"Cu": isolated[0].info["REF_energy"]}
    assert (found["noise"], found["at_bound"]) == (None, [])


def refusal(frames: list[Atoms], isolated: list[Atoms], **options: object) -> str:
    with pytest.raises(InputError) as caught:
        potential(**options).statistics(frames, isolated)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text
    return text


def test_labels_that_cannot_be_fitted_are_named(frames, isolated):
    assert refusal(frames[:1], isolated).startswith("models.nep.validation: of 1 labelled structures 1 are kept back")
    assert refusal([], isolated).startswith("labels: the design has no labelled structure")
    assert refusal(frames, []) == "isolated atoms: none for Cu; give one frame for every element."
    wide = [labelled(Atoms("Cu", cell=[8 + k] * 3, pbc=True)) for k in range(4)]
    assert refusal(wide, isolated).startswith(
        "models.nep.r_cut_angular: no atom of the design has a neighbour within 4 "
    )
    del frames[3].arrays["REF_forces"]
    assert refusal(frames, isolated) == "labels: structure 3 (Cu2) has no REF_forces; label the design again."
    with pytest.raises(ValidationError, match=r"r_cut_angular 5 is above r_cut 4; lower it"):
        NepPotentialOptions(r_cut=4.0, r_cut_angular=5.0)


def test_labels_are_written_as_energies_above_isolated_atoms_with_virials_where_there_are_any(frames, tmp_path):
    """ASE reads what is written: the same numbers; a slab gets a cell in which it has no image."""
    slab = frames[1]
    slab.pbc = [True, True, False]
    del frames[2].info["REF_virial"]
    text = data.extended_xyz(frames, arrays(frames), [0, 1, 2], {29: 1.25}, 4.0)
    (tmp_path / "train.xyz").write_text(text)
    for label, written in zip(frames, read(tmp_path / "train.xyz", ":"), strict=False):
        energy = label.info["REF_energy"] - 1.25 * len(label)
        assert written.get_potential_energy() == pytest.approx(energy, abs=1e-14)
        assert np.array_equal(written.get_forces(), label.arrays["REF_forces"])
        assert np.array_equal(written.positions, label.positions)
        assert ("virial" in written.info) == ("REF_virial" in label.info)
        if "REF_virial" in label.info:
            virial = label.info["REF_virial"].reshape(3, 3)
            assert np.ravel(written.info["virial"]) == pytest.approx(np.ravel(virial + virial.T) / 2, abs=1e-15)
        if label is slab:
            height = written.get_volume() / np.linalg.norm(np.cross(*written.cell.array[:2]))
            assert height > 8.0 and written.pbc.all()


def file(folder: Path, elements: str, seed: int = 2) -> Path:
    """A model of random numbers."""
    types, length, neurons = len(elements.split()), 2 + 2 * 3, 4
    count = types * (length + 2) * neurons + 1 + types**2 * (2 * 4 + 2 * 4) + length
    head = f"nep4 {types} {elements}\ncutoff 4 3 99 99\nn_max 1 1\nbasis_size 3 3\nl_max 2 2 0\nANN {neurons} 0\n"
    numbers = np.random.default_rng(seed).normal(size=count)
    path = folder / "nep.txt"
    path.write_text(head + "".join(f"  {number:.10e}\n" for number in numbers))
    return path


def test_a_neuron_more_shifts_the_energies_of_one_element(tmp_path):
    """The file has the form of the format; by nep-adapters, energies are higher and forces and virials are the same."""
    path = file(tmp_path, "Cu Zr")
    shifted = tmp_path / "shifted.txt"
    shifted.write_text(data.with_energies_of_atoms(path, [-1234.5678901234, 7.5]))
    refuse_unsound(str(shifted))
    assert header(str(shifted)).numbers - header(str(path)).numbers == 2 * (8 + 2)
    pytest.importorskip("nep_adapters", reason="nep-adapters is not installed")
    atoms = bulk("NaCl", "rocksalt", a=4.1)
    atoms.symbols = "CuZr"
    atoms.rattle(0.2, seed=1)
    before, after = (NepPotential.evaluator(each)(atoms) for each in (path, shifted))
    assert after.energy - before.energy == pytest.approx(-1234.5678901234 + 7.5, abs=1e-11)
    assert np.array_equal(before.forces, after.forces)
    assert np.array_equal(before.virial, after.virial)
    check_derivatives(NepPotential.evaluator(shifted), atoms)


def fitted(model: NepPotential, frames: list[Atoms], isolated: list[Atoms], folder: Path, **found: object) -> Path:
    """Fit with a fixed seed; return the model's file."""
    outputs = [folder / name for name in model.files]
    found = model.statistics(frames, isolated) | found
    model.fit(frames, isolated, found, outputs, rng=np.random.default_rng(1), memory=None, tell=print)
    return outputs[0]


def test_hyperparameters_of_other_options_and_too_little_memory_are_refused(frames, isolated, monkeypatch, tmp_path):
    monkeypatch.setattr(program, "find_spec", lambda name: name)
    with pytest.raises(InputError, match=r"^hyperparameters\.json: found for r_cut 5\.0, but .* 4\.0; run the stage"):
        fitted(potential(), frames, isolated, tmp_path, r_cut=5.0)
    model, outputs = potential(), [tmp_path / "a", tmp_path / "b"]
    found = model.statistics(frames, isolated)
    with pytest.raises(InputError, match=r"^models\.nep\.batch_size: this training needs \d+ MiB and may use 100;"):
        model.fit(frames, isolated, found, outputs, rng=np.random.default_rng(1), memory=100, tell=print)


def test_a_missing_package_says_how_it_comes(frames, isolated, monkeypatch, tmp_path):
    monkeypatch.setattr(program, "find_spec", lambda name: None)
    expected = r"^models\.nep: torchnep, nep-adapters or torch is not installed; run `pip install torchnep=="
    with pytest.raises(InputError, match=expected):
        potential().hyperparameters(frames, isolated, rng=np.random.default_rng(1), tell=print)
    with pytest.raises(InputError, match=expected):
        fitted(potential(), frames, isolated, tmp_path)
    monkeypatch.setitem(sys.modules, "nep_adapters", None)
    with pytest.raises(InputError, match=r"^models\.nep: nep-adapters is not installed; run `pip install nep-adapters"):
        NepPotential.evaluator(file(tmp_path, "Cu"))


def test_the_family_is_known_without_the_programs():
    code = "import sys, gapdesign.models.nep; sys.exit(bool({'torch', 'pandas', 'nep_adapters'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def at(**options: object) -> At:
    study = {
        "prototypes": {"bcc": {"element": "Zr", "lattice": "bcc", "a": 3.574}},
        "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
        "model": {"kind": "nep", "nep": options},
    }
    return At(parse(study), design_name="OPT")


def test_the_plan_follows_the_size_of_the_model_and_of_the_structures():
    """By the laws of costs.py, which benchmarks/nep_cells.py measures."""
    load = Load(structures=100, atoms=50.0, density=0.05, environments=50.0, species=1)
    base = NepPotential.seconds(at(), load)
    assert NepPotential.seconds(at(epochs=300), load).fit == pytest.approx(2 * base.fit)
    assert NepPotential.seconds(at(r_cut=8.0), load).fit > base.fit
    assert NepPotential.seconds(at(r_cut=8.0), load).predict > base.predict
    assert (
        NepPotential.megabytes(at(batch_size=100, r_cut=30.0, r_cut_angular=30.0))
        > NepPotential.megabytes(at())
        == 4000
    )
    assert NepPotential.minutes(at(epochs=1_000_000)) > NepPotential.minutes(at()) == 240


COUNTS = '{"energies": 8, "forces": 36, "virials": 48}'


def said(monkeypatch: pytest.MonkeyPatch, folder: Path, frames: list[Atoms], code: str) -> program.Trained:
    """What is made of the output of a program that says this in place of the training."""
    script = folder / "said.py"
    script.write_text(f"import sys\nfrom pathlib import Path\nout = Path(sys.argv[1], 'out')\nout.mkdir()\n{code}")
    monkeypatch.setattr(program, "PROGRAM", script)
    options = NepPotentialOptions(**SMALL, weights=NepWeightOptions(energies=2, forces=3, virials=0.5))
    return program.train(frames, options, {29: 1.0}, seed=1, tell=print)


def row(epoch: int, loss: float) -> str:
    errors = '{"energies": 0.5, "forces": 0.25, "virials": 2.0, "stress": 1.0}'
    text = f'"epoch": {epoch}, "validation_loss": {loss}, "training": {errors}, "validation": {errors}'
    return f"print('{{{text}, \"seconds\": {10 + 2 * epoch}}}')\n"


def test_the_table_marks_the_epoch_that_was_kept(frames, monkeypatch, tmp_path):
    code = f"print('{COUNTS}')\n" + row(1, 3.0) + row(2, 0.5) + row(3, 0.7)
    text = file(tmp_path, "Cu").read_text()
    trained = said(monkeypatch, tmp_path, frames, code + f"(out / 'nep_best.txt').write_text({text!r})")
    assert trained.model.decode().startswith("nep4 1 Cu\n")
    assert trained.epochs["kept"].tolist() == [0, 1, 0]
    assert trained.epochs["epoch"].tolist() == [1, 2, 3]
    assert trained.epochs["training_loss"].tolist() == [2 * 0.25 + 3 * 0.0625 + 0.5 * 4] * 3
    assert trained.epochs[["energy_mev", "forces_mev", "virials_mev"]].values.tolist() == [[500, 250, 2000]] * 3
    assert trained.seconds == 2
    for atoms in frames:
        del atoms.info["REF_virial"]
    code = code.replace("48", "0") + f"(out / 'nep_best.txt').write_text({text!r})"
    (tmp_path / "without").mkdir()
    assert said(monkeypatch, tmp_path / "without", frames, code).epochs["virials_mev"].isna().all()


def test_a_training_that_fails_is_told(frames, monkeypatch, tmp_path):
    def refused(kind: type[Exception], code: str) -> str:
        with pytest.raises(kind) as caught:
            said(monkeypatch, tmp_path, frames, code)
        return str(caught.value)

    expected = "torchnep's training ended with status 3; its last lines were:\nno memory"
    assert refused(ProgramError, "print('no memory', file=sys.stderr)\nsys.exit(3)") == expected
    fewer = f"print('{COUNTS.replace('36', '35')}')"
    assert refused(ProgramError, fewer) == "torchnep was given 36 forces and used 35."
    assert refused(ProgramError, f"print('{COUNTS}')").startswith("torchnep ended without a model; ")
    diverged = f'print(\'{COUNTS}\')\nprint(\'{{"mistake": "diverged", "epoch": 4}}\')'
    assert refused(InputError, diverged).startswith(
        "models.nep.learning_rate: the loss after epoch 4 is beyond all bounds; "
    )


def test_files_that_are_no_models_are_refused_in_one_sentence(tmp_path):
    def refused(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            NepPotential.evaluator(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert refused(tmp_path / "none.txt").endswith("none.txt: no such potential; fit the model again.")
    path = file(tmp_path, "Cu")
    path.write_text(path.read_text()[:-200])
    assert " is cut off: it has " in refused(path)
    path.write_text("GAP\n")
    assert refused(path).startswith(f"models.nep: '{path}' is no neuroevolution potential (its first line is not that")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder for a model, where the programs are."""
    for name in ("torch", "torchnep", "nep_adapters"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    return tmp_path_factory.mktemp("trained")


ON_VIRIALS = {"epochs": 30, "weights": NepWeightOptions(energies=0, forces=1e-9, virials=1)}


@pytest.fixture
def model(trained, frames, isolated) -> Path:
    """The file of a model that was trained on virials alone."""
    if not (trained / "nep.txt").exists():
        fitted(potential(**ON_VIRIALS), frames, isolated, trained)
    return trained / "nep.txt"


def test_two_trainings_write_the_same_bytes(model, frames, isolated, tmp_path):
    again = fitted(potential(**ON_VIRIALS), frames, isolated, tmp_path)
    assert again.read_bytes() == model.read_bytes()
    assert again.with_name("training.csv").read_bytes() == model.with_name("training.csv").read_bytes()


def test_a_training_that_diverges_ends_with_a_sentence(trained, frames, isolated, tmp_path):
    with pytest.raises(InputError, match=r"^models\.nep\.learning_rate: the loss after epoch 1 is beyond all bounds;"):
        fitted(potential(epochs=3, learning_rate=1e6), frames, isolated, tmp_path)


def test_virials_have_the_sign_and_the_unit_of_labels(model, frames):
    """Labels by another program, and a model that saw nothing else: it predicts them better than it would zeros."""
    evaluate = NepPotential.evaluator(model)
    labels = np.array([atoms.info["REF_virial"].reshape(3, 3) for atoms in frames])
    errors = labels - [evaluate(atoms).virial for atoms in frames]
    assert np.sqrt(np.mean(errors**2)) < 0.5 * np.sqrt(np.mean(labels**2))


def test_forces_and_virials_are_derivatives_of_energies(model, frames):
    check_derivatives(NepPotential.evaluator(model), frames[1])


def test_energies_are_total_with_labels_without_virials_and_atoms_of_any_energy(trained, frames, isolated, tmp_path):
    for atoms in (*frames, *isolated):
        atoms.info["REF_energy"] -= 5000.0 * len(atoms)
        atoms.info.pop("REF_virial", None)
    evaluate = NepPotential.evaluator(fitted(potential(epochs=20), frames, isolated, tmp_path))
    errors = [(evaluate(atoms).energy - atoms.info["REF_energy"]) / len(atoms) for atoms in frames]
    assert np.abs(errors).max() < 1


def test_slabs_and_atoms_alone(model):
    evaluate = NepPotential.evaluator(model)
    assert evaluate(Atoms("Cu")).virial is None
    slab = bulk("Cu", "fcc", a=3.6, cubic=True)
    slab.pbc = [True, True, False]
    wide = slab.copy()
    wide.set_cell(slab.cell.array * [1, 1, 9])
    assert evaluate(wide).energy == pytest.approx(evaluate(slab).energy, abs=1e-12)
    np.testing.assert_allclose(evaluate(wide).forces, evaluate(slab).forces, atol=1e-12)
    flat = slab.copy()
    flat.cell[2] = 0
    assert evaluate(flat).energy == pytest.approx(evaluate(slab).energy, abs=1e-12)
    with pytest.raises(InputError, match=r"the model knows no Zr; "):
        evaluate(Atoms("Zr"))


def test_torchnep_reads_the_file_and_gives_the_same(model, frames):
    """Another program than that of predictions."""
    from torchnep.ase_calculator import NEP

    atoms = frames[1].copy()
    atoms.calc = NEP(str(model))
    found = NepPotential.evaluator(model)(atoms)
    assert found.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-8)
    np.testing.assert_allclose(found.forces, atoms.get_forces(), atol=1e-8)
    np.testing.assert_allclose(found.virial, -atoms.get_volume() * atoms.get_stress(voigt=False), atol=1e-8)
