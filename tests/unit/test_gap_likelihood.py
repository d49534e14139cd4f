"""The likelihood: closed forms, QUIP's own pairs in a double loop, finite differences."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.sparse import csr_array
from scipy.stats import multivariate_normal

from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions, SoapKernelOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.models.gap.environments import (
    GapStructures,
    PairBlock,
    SoapBlock,
    boxed,
    energies_above_atoms,
    environments,
    merge,
)
from gapdesign.models.gap.likelihood import Likelihood, PairCovariance

SOAP = SoapOptions(r_cut=4.0, n_max=3, l_max=3)
KERNEL = KernelOptions(pair=PairKernelOptions(r_cut=4.5))
TRANSITION = 0.5
THETA = np.log([0.8, 0.3, 0.3, 0.05])


def strained(atoms: Atoms, seed: int) -> Atoms:
    """Strain a cell by some percent and shift its atoms a little."""
    rng = np.random.default_rng(seed)
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.05 * rng.standard_normal((3, 3))), scale_atoms=True)
    atoms.positions += 0.05 * rng.standard_normal(atoms.positions.shape)
    return atoms


def zirconium() -> list[Atoms]:
    kinds = [bulk("Zr", "hcp", a=3.23, c=5.15), bulk("Zr", "bcc", a=3.57), bulk("Zr", "fcc", a=4.53)]
    return [Atoms("Zr", cell=[18] * 3, pbc=True), *(strained(kinds[k % 3], k) for k in range(6))]


def alloy() -> list[Atoms]:
    kinds = [bulk("CuZr", "cesiumchloride", a=3.26), bulk("Cu", cubic=True), bulk("Zr", "hcp", a=3.23, c=5.15)]
    kinds.append(kinds[0].repeat((2, 1, 1)))
    return [strained(kinds[k % 4], k) for k in range(8)]


def likelihood(frames: list[Atoms], energies: np.ndarray | None = None, kernel=KERNEL) -> Likelihood:
    energies = np.random.default_rng(0).normal(size=len(frames)) if energies is None else energies
    seen = environments(frames, soap=SOAP, kernel=kernel, transition=TRANSITION)
    return Likelihood(seen, energies, zeta=kernel.soap.zeta, smallest_length=0.1)


def one_distance(*distances: float) -> GapStructures:
    """A structure of one atom and one pair for every distance; no cutoff, no SOAP."""
    count = len(distances)
    block = PairBlock(np.array(distances), np.ones(count), np.arange(count))
    return GapStructures(sizes=np.ones(count, dtype=int), soap={}, pairs={(40, 40): block})


def test_one_structure_is_a_normal_distribution():
    """Q = d^2 + s^2, whatever the distance."""
    model = Likelihood(one_distance(3.0), np.array([1.7]), zeta=4, smallest_length=0.1)
    assert model.names == ("pair_scale", "pair_length", "noise")
    variance = 0.8**2 + 0.1**2
    expected = -0.5 * (1.7**2 / variance + np.log(variance) + np.log(2 * np.pi))
    assert model.value(np.log([0.8, 0.3, 0.1])) == pytest.approx(expected, rel=1e-12)


def test_two_structures_by_hand():
    model = Likelihood(one_distance(3.0, 3.4), np.array([1.0, -0.5]), zeta=4, smallest_length=0.1)
    a, b = 0.8**2 + 0.1**2, 0.8**2 * np.exp(-(0.4**2) / (2 * 0.3**2))
    det = a * a - b * b
    fit = (a * (1.0 + 0.25) - 2 * b * (1.0 * -0.5)) / det
    expected = -0.5 * (fit + np.log(det) + 2 * np.log(2 * np.pi))
    assert model.value(np.log([0.8, 0.3, 0.1])) == pytest.approx(expected, rel=1e-7)


def test_soap_part_counts_environments_and_raises_products():
    """A structure of two equal environments beside one of another, at 60 degrees: products 1 and 1/2."""
    vectors = np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    block = SoapBlock(vectors, csr_array(np.diag([2.0, 1.0])))
    seen = GapStructures(sizes=np.array([2, 1]), soap={40: block}, pairs={})
    model = Likelihood(seen, np.zeros(2), zeta=4, smallest_length=0.1)
    assert model.names == ("soap_scale", "noise")
    expected = 0.3**2 * np.array([[4.0, 2 * 0.5**4], [2 * 0.5**4, 1.0]])
    assert model.covariance(np.log([0.3, 0.1])) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("make", [zirconium, alloy])
def test_covariance_is_the_double_loop_over_what_quip_gives(make):
    from quippy.descriptors import Descriptor

    frames = make()
    elements = sorted({int(z) for atoms in frames for z in atoms.numbers})
    species = " ".join(map(str, elements))
    terms = [
        f"distance_2b cutoff=4.5 cutoff_transition_width=0.5 Z1={a} Z2={b}"
        for a in elements
        for b in elements
        if a <= b
    ] + [
        f"soap cutoff=4.0 cutoff_transition_width=0.5 n_max=3 l_max=3 atom_sigma=0.5 n_Z=1 Z={z}"
        f" n_species={len(elements)} species_Z={{{species}}}"
        for z in elements
    ]
    total = np.zeros((len(frames), len(frames)))
    for term in terms:
        descriptor = Descriptor(term)
        found = [descriptor.calc(atoms) for atoms in frames]
        for p, first in enumerate(found):
            for q, second in enumerate(found):
                if not np.size(first["data"]) or not np.size(second["data"]):
                    continue
                for x, f in zip(first["data"], first["covariance_cutoff"], strict=True):
                    for y, g in zip(second["data"], second["covariance_cutoff"], strict=True):
                        if term.startswith("soap"):
                            total[p, q] += 0.3**2 * (x @ y) ** 4
                        else:
                            total[p, q] += 0.8**2 * f * g * np.exp(-((x[0] - y[0]) ** 2) / (2 * 0.3**2))
    assert likelihood(frames).covariance(THETA) == pytest.approx(total, rel=1e-6, abs=1e-10)


@pytest.mark.parametrize("length", [0.1, 0.3, 2.5])
def test_binned_pairs_reproduce_gaussians_at_every_length(length):
    """Distances anywhere between nodes, each alone in a structure, to 1e-6 of the kernel at distance 0."""
    distances = np.random.default_rng(3).uniform(2.0, 7.0, 60)
    block = PairBlock(distances, np.ones(60), np.arange(60))
    features, _ = PairCovariance([block], size=60, smallest_length=0.1).features(length)
    exact = np.exp(-((distances[:, None] - distances) ** 2) / (2 * length**2))
    assert features @ features.T == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("make", [zirconium, alloy])
@pytest.mark.parametrize("left_out", [None, "pair", "soap"])
def test_value_and_gradient_against_textbook_and_finite_differences(make, left_out):
    frames = make()
    kernel = KernelOptions(
        pair=PairKernelOptions(r_cut=4.5, scale=0 if left_out == "pair" else 0.8),
        soap=SoapKernelOptions(scale=0 if left_out == "soap" else 0.3),
    )
    energies = np.random.default_rng(1).normal(size=len(frames))
    model = likelihood(frames, energies, kernel)
    assert left_out is None or not any(name.startswith(left_out) for name in model.names)
    theta = np.array(
        [
            dict(zip(("pair_scale", "pair_length", "soap_scale", "noise"), THETA, strict=True))[name]
            for name in model.names
        ]
    )

    noise = np.exp(2 * theta[-1]) * np.array([len(atoms) for atoms in frames])
    textbook = multivariate_normal(cov=model.covariance(theta) + np.diag(noise)).logpdf(energies)
    value, gradient = model.value_and_gradient(theta)
    assert value == pytest.approx(textbook, rel=1e-9)
    assert value == pytest.approx(model.value(theta), rel=1e-12)

    step = 1e-4 * np.eye(len(theta))
    differences = [(model.value(theta + row) - model.value(theta - row)) / 2e-4 for row in step]
    assert gradient == pytest.approx(differences, rel=1e-5, abs=1e-5)


def test_singular_covariance_has_no_likelihood():
    model = Likelihood(one_distance(3.0, 3.0), np.array([1.0, -1.0]), zeta=4, smallest_length=0.1)
    value, gradient = model.value_and_gradient(np.log([10.0, 0.3, 1e-12]))
    assert value == -np.inf
    assert not gradient.any()


def test_equivalent_environments_are_merged_and_counted():
    vectors = np.array([[0.6, 0.8], [0.0, 1.0], [0.6, 0.8 + 1e-15]])
    merged, counts = merge(vectors)
    assert merged.tolist() == vectors[:2].tolist()
    assert counts.tolist() == [2, 1]
    hcp = strained(bulk("Zr", "hcp", a=3.23, c=5.15), 0)
    hcp.set_scaled_positions([[0, 0, 0], [1 / 3, 2 / 3, 0.5]])
    seen = environments([hcp], soap=SOAP, kernel=KERNEL, transition=TRANSITION)
    assert seen.soap[40].counts.toarray().tolist() == [[2.0]]


def test_energies_are_counted_from_the_isolated_atoms():
    copper, zirconium = Atoms("Cu"), Atoms("Zr")
    copper.info["REF_energy"], zirconium.info["REF_energy"] = -1.0, -2.0
    cell = Atoms("CuZr2", positions=np.eye(3))
    cell.info["REF_energy"] = -15.0
    boxes = boxed([copper, zirconium], cutoff=5.0)
    assert energies_above_atoms([cell, *boxes], boxes).tolist() == [-10.0, 0.0, 0.0]
    with pytest.raises(InputError, match=r"none for atomic numbers \[29\]"):
        energies_above_atoms([cell], boxes[1:])
    del cell.info["REF_energy"]
    with pytest.raises(InputError, match=r"Zr2.*no REF_energy"):
        energies_above_atoms([cell], boxes)


def test_isolated_atoms_must_be_single_labelled_and_different():
    atom = Atoms("Zr", info={"REF_energy": -2.0})
    with pytest.raises(InputError, match="names an element twice"):
        boxed([atom, atom], cutoff=5.0)
    with pytest.raises(InputError, match="must be one atom with REF_energy"):
        boxed([Atoms("Zr")], cutoff=5.0)
    with pytest.raises(InputError, match="must be one atom with REF_energy"):
        boxed([Atoms("Zr2", positions=np.eye(3)[:2], info={"REF_energy": -2.0})], cutoff=5.0)
