"""The entropy-maximising sampler: its potential against finite differences, its cycles against interruption."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.spatial.distance import cdist

from gapdesign.config import study
from gapdesign.errors import InputError
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.entropy import EntropyOptions, EntropySampler
from gapdesign.samplers.options import PoolOptions
from gapdesign.samplers.shared import differentiable
from gapdesign.samplers.shared.crystals import places
from gapdesign.samplers.shared.differentiable import DifferentiableOptions
from gapdesign.samplers.shared.diversity import (
    EffectivePotential,
    GlobalEntropy,
    RepulsionOptions,
    local_entropy,
    repulsion,
)
from gapdesign.structures import Batch

TUNGSTEN = prototypes({"bcc": PrototypeOptions(element="W", lattice="bcc", a=3.165)})
QUICK = {
    "atoms": 6,
    "cell": [5.5, 5.5, 6.5],
    "shuffle": 10,
    "steps": 20,
    "relaxation": 5,
    "checkpoint": 7,
    "cycles_per_chain": 3,
    "scale_frames": 5,
    "descriptor": {"snap": {"components": 4}},
}
SCALE = np.array([5.0, 0.5, 0.3, 0.7])
KP = DifferentiableOptions()
QUIP = DifferentiableOptions(kind="bispectrum")
SOAP = DifferentiableOptions(kind="soap", soap={"n_max": 2, "l_max": 2})


@pytest.fixture
def gas() -> Atoms:
    cell = np.diag([6.0, 6.5, 7.0])
    return Atoms("W8", places(cell, np.full(8, 1.0), np.random.default_rng(3)), cell=cell, pbc=True)


def gradient(function, values: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences of a function of an array."""
    found = np.empty_like(values)
    for index in np.ndindex(values.shape):
        moved = values.copy()
        moved[index] += step
        above = function(moved)
        moved[index] -= 2 * step
        found[index] = (above - function(moved)) / (2 * step)
    return found


def at(atoms: Atoms, positions: np.ndarray) -> Atoms:
    moved = atoms.copy()
    moved.positions = positions
    return moved


def test_repulsion_of_two_atoms_is_clarke_and_smiths():
    options = RepulsionOptions()
    for r in (1.8, 2.3, 2.69, 2.72, 3.5):
        dimer = Atoms("W2", [[0, 0, 0], [0, 0, r]], cell=[20] * 3, pbc=True)
        pair, shift = ((2.7 / x) ** 8 - 2 * (2.7 / x) ** 4 for x in (r, 2.71))
        energy, slope = repulsion(dimer, options)
        np.testing.assert_allclose(energy, 2 * (pair - shift) if r < 2.71 else 0, atol=1e-12)
        assert (slope[1, 2] < 0) == (r < 2.7)
        assert energy >= -1e-3


def test_repulsion_has_the_gradient_it_says(gas):
    options = RepulsionOptions()
    assert repulsion(gas, options)[0] > 0.1
    found = gradient(lambda positions: repulsion(at(gas, positions), options)[0], gas.positions)
    np.testing.assert_allclose(repulsion(gas, options)[1], found, atol=1e-6)


def test_entropy_of_a_lattice_is_the_logarithm_of_its_spacing():
    q = 0.3 * np.stack(np.meshgrid(*[np.arange(3.0)] * 3), -1).reshape(-1, 3)
    np.testing.assert_allclose(local_entropy(q)[0], np.log(27 * 0.3), rtol=1e-12)


def test_entropy_is_that_of_the_nearest_neighbours_and_has_the_gradient_it_says():
    q = np.random.default_rng(5).normal(size=(20, 4))
    distance = cdist(q, q) + 1e9 * np.eye(20)
    np.testing.assert_allclose(local_entropy(q)[0], np.log(20 * distance.min(axis=1)).mean(), rtol=1e-12)
    np.testing.assert_allclose(local_entropy(q)[1], gradient(lambda x: local_entropy(x)[0], q), atol=1e-8)


def test_atoms_that_are_alike_have_a_low_but_finite_entropy():
    value, slope = local_entropy(np.ones((5, 3)))
    assert np.isfinite(value)
    assert not slope.any()


def test_global_entropy_is_log_det_of_the_covariance_of_all_so_far():
    generator = np.random.default_rng(7)
    before, now = generator.normal(size=(30, 3)), generator.normal(size=(5, 3))
    entropy = GlobalEntropy(3)
    entropy.add(before[:10])
    entropy.add(before[10:])
    covariance = np.cov(np.vstack([before, now]).T, bias=True) + 0.1 / 35 * np.eye(3)
    np.testing.assert_allclose(entropy(now)[0], 35 / 10 * np.log(np.linalg.det(covariance)), rtol=1e-12)
    np.testing.assert_allclose(entropy(now)[1], gradient(lambda x: entropy(x)[0], now), atol=1e-8)


@pytest.mark.parametrize("kind", [KP, QUIP, SOAP], ids=lambda options: options.kind)
@pytest.mark.parametrize("form", ["local", "global"])
def test_forces_are_minus_the_gradient_of_the_effective_potential(gas, kind, form):
    descriptor = differentiable.make(kind, [74])
    scale = descriptor(gas).std(axis=0) + 1e-3
    entropy = local_entropy
    if form == "global":
        entropy = GlobalEntropy(len(scale))
        entropy.add(descriptor(at(gas, gas.positions + 0.3 * np.sin(np.arange(24)).reshape(8, 3))) / scale)
    potential = EffectivePotential(RepulsionOptions(), descriptor, scale, entropy)
    found = gradient(lambda positions: potential(at(gas, positions), 5.0)[0], gas.positions, step=1e-5)
    forces = potential(gas, 5.0)[1]
    np.testing.assert_allclose(forces, -found, atol=1e-5 * np.abs(forces).max())
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-8 * np.abs(forces).max())


@pytest.mark.parametrize("kind", [KP, QUIP], ids=lambda options: options.kind)
def test_descriptors_do_not_notice_rotation_and_periodic_images(gas, kind):
    descriptor = differentiable.make(kind, [74])
    turned = gas.copy()
    turned.rotate(37, (1, 2, 3), rotate_cell=True)
    turned.positions += 3 * turned.cell[0] - turned.cell[1]
    np.testing.assert_allclose(descriptor(turned), descriptor(gas), rtol=1e-6, atol=1e-6)
    assert descriptor(gas).shape == (8, 6)
    perfect = bulk("W", "bcc", a=3.165, cubic=True)
    assert np.ptp(descriptor(perfect), axis=0).max() < 1e-9


def make(start: int, stop: int, *, scratch=None, **options) -> Batch:
    pool = PoolOptions(sampler="entropy", entropy={**QUICK, **options}, constraints={"min_distance": 0.3})
    return sample(pool.sampling, TUNGSTEN, seed=1, pool="A", start=start, stop=stop, scratch=scratch)


@pytest.mark.parametrize("form", ["local", "global"])
def test_an_interrupted_shard_continues_to_the_same_bytes(form, tmp_path, monkeypatch):
    steps, step = [], EntropySampler._step

    def broken(self, *arguments):
        if len(steps) == stop:
            raise KeyboardInterrupt
        steps.append(1)
        return step(self, *arguments)

    monkeypatch.setattr(EntropySampler, "_scale", lambda self, seed: SCALE)
    whole = make(0, 4, form=form)
    monkeypatch.setattr(EntropySampler, "_step", broken)
    for stop in (12, 40, 75, 10**6):
        if stop < 10**6:
            with pytest.raises(KeyboardInterrupt):
                make(0, 4, form=form, scratch=tmp_path)
        else:
            batch = make(0, 4, form=form, scratch=tmp_path)
    assert batch.positions.tobytes() == whole.positions.tobytes()
    assert 120 < len(steps) < 120 + 3 * QUICK["checkpoint"]
    # Finished cycles are not made again, and those of another configuration are not taken for them.
    stop = len(steps)
    assert make(0, 4, form=form, scratch=tmp_path).positions.tobytes() == whole.positions.tobytes()
    with pytest.raises(KeyboardInterrupt):
        make(0, 4, form=form, strength=10.0, scratch=tmp_path)


def test_bias_raises_the_entropy_of_the_atoms():
    """A cycle of KP's, shortened: a sixth of the atoms, a tenth of the steps."""
    descriptor = differentiable.make(KP, [74])
    options = {"atoms": 12, "cell": [6.4, 6.4, 9.7], "steps": 250, "relaxation": 30, "descriptor": {}}
    biased = make(0, 3, **options, strength=300.0)
    unbiased = make(0, 3, **options, strength=0.0, final_temperature=10000.0)
    q = [[descriptor(batch.atoms(k)) for k in range(3)] for batch in (biased, unbiased)]
    scale = np.concatenate(q[1]).std(axis=0)
    entropy = [np.mean([local_entropy(x / scale)[0] for x in kind]) for kind in q]
    assert entropy[0] > entropy[1] + 0.3


def test_elements_are_drawn_by_their_shares_however_the_pool_is_cut():
    crystals = prototypes({e: PrototypeOptions(element=e, lattice="bcc", a=3.2) for e in ("Nb", "Mo", "Ta")})
    short = {"atoms": [6, 4], "element": {"Ta": 1, "Nb": 3}, "shuffle": 2, "steps": 3, "relaxation": 0}
    sampling = PoolOptions(sampler="entropy", entropy={**QUICK, **short}).sampling

    def made(start: int, stop: int) -> Batch:
        return sample(sampling, crystals, seed=1, pool="A", start=start, stop=stop)

    whole = made(0, 40)
    frames = [whole.atoms(k) for k in range(40)]
    numbers = np.concatenate([atoms.numbers for atoms in frames])
    assert set(numbers) == {41, 73} and 0.15 < np.mean(numbers == 73) < 0.35
    for k in (3, 17):
        alone = made(k, k + 1).atoms(0)
        assert alone == frames[k]


@pytest.mark.parametrize("form", ["local", "global"])
def test_forces_on_several_elements_are_minus_the_gradient(gas, form):
    gas.numbers[:] = [41, 73, 73, 41, 41, 73, 41, 73]
    descriptor = differentiable.make(KP, [41, 73])
    scale = descriptor(gas).std(axis=0) + 1e-3
    entropy = local_entropy if form == "local" else GlobalEntropy(len(scale))
    potential = EffectivePotential(RepulsionOptions(), descriptor, scale, entropy)
    found = gradient(lambda positions: potential(at(gas, positions), 5.0)[0], gas.positions, step=1e-5)
    np.testing.assert_allclose(potential(gas, 5.0)[1], -found, atol=1e-5 * np.abs(found).max())


def test_the_scale_is_that_of_the_unbiased_system_for_every_pool():
    sampler = EntropySampler(EntropyOptions(**QUICK), TUNGSTEN)
    other = EntropySampler(EntropyOptions(**{**QUICK, "strength": 0.0}), TUNGSTEN)
    assert np.array_equal(sampler._scale(1), other._scale(1))
    assert (sampler._scale(1) > 0).all()


def test_the_scale_knows_elements_that_few_structures_have():
    crystals = prototypes({e: PrototypeOptions(element=e, lattice="bcc", a=3.2) for e in ("Nb", "Mo", "Ta")})
    for shares in ({"Nb": 1, "Mo": 99}, {"Nb": 1, "Mo": 1, "Ta": 98}):
        sampler = EntropySampler(EntropyOptions(**{**QUICK, "element": shares, "descriptor": KP}), crystals)
        for seed in range(4):
            assert sampler._scale(seed).min() > 1e-6


@pytest.mark.parametrize("form", ["local", "global"])
def test_sizes_are_drawn_for_each_structure_however_the_pool_is_cut(form):
    cells = [[5.0, 5.0, 5.5], [5.5, 5.5, 6.5], [6.0, 6.5, 7.0]]
    options = {"atoms": [4, 6, 8], "cell": cells, "form": form, "steps": 4, "shuffle": 2, "relaxation": 0}
    whole, parts = make(0, 9, **options), [make(0, 2, **options), make(2, 9, **options)]
    assert whole.positions.tobytes() == b"".join(part.positions.tobytes() for part in parts)
    sizes = np.diff(whole.offsets)
    assert set(sizes) == {4, 6, 8}
    for size, cell in zip(sizes, whole.cells, strict=True):
        np.testing.assert_array_equal(cell, np.diag(cells[[4, 6, 8].index(size)]))
    one = make(0, 9, **{**options, "cell": cells[2]})
    assert np.array_equal(np.diff(one.offsets), sizes)
    assert (one.cells == np.diag(cells[2])).all()


def test_a_list_of_one_size_is_that_size():
    listed = make(0, 2, atoms=[6], cell=[QUICK["cell"]])
    assert listed.positions.tobytes() == make(0, 2).positions.tobytes()


def test_sizes_are_equally_likely():
    sampler = EntropySampler(EntropyOptions(atoms=[2, 3, 4, 5]), TUNGSTEN)
    drawn = [sampler._size(f"1/candidates/A/0/cycle/{k}")[0] for k in range(4000)]
    counts = np.bincount(drawn, minlength=6)[2:]
    assert ((counts - 1000) ** 2 / 1000).sum() < 16.3  # chi squared of three degrees of freedom, p = 0.001


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"atoms": 1}, r"^pools\.entropy\.atoms: give a number of 2 or more, or a list of different ones"),
        ({"atoms": []}, r"^pools\.entropy\.atoms: give a number of 2 or more"),
        ({"atoms": [8, 8]}, r"^pools\.entropy\.atoms: give a number of 2 or more, or a list of different ones"),
        ({"atoms": [8, "x"]}, r"^pools\.entropy\.atoms: give a number of 2 or more, or a list of different ones"),
        ({"cell": [5, 0, 5]}, r"^pools\.entropy\.cell: give three edges above 0"),
        ({"cell": [5, 5]}, r"^pools\.entropy\.cell: give three edges above 0"),
        ({"atoms": [8, 9], "cell": [[5, 5, 5]]}, r"^pools\.entropy: `cell` and `atoms` have 1 and 2 entries; give one"),
    ],
)
def test_sizes_that_make_no_sense_are_refused_in_one_sentence(given, sentence):
    written = {
        "study": "t",
        "prototypes": {"bcc": {"element": "W", "lattice": "bcc", "a": 3.165}},
        "pools": {"sampler": "entropy", "entropy": given},
    }
    with pytest.raises(InputError, match=sentence):
        study.parse(written)


@pytest.mark.parametrize(
    ("given", "elements", "sentence"),
    [
        ({}, ["W", "Zr"], r"^pools\.entropy\.element: .* Zr, W; choose one, or .* such as {Zr: 1, W: 1}\.$"),
        ({"element": {"W": 1, "Fe": 2}}, ["W"], r"^pools\.entropy\.element: no prototype has the element 'Fe', only W"),
        ({"element": {}}, ["W"], r"^pools\.entropy\.element: there are no shares"),
        (
            {"element": {"W": 1, "Zr": 2}, "descriptor": {"kind": "soap"}},
            ["W", "Zr"],
            r"^pools\.entropy\.descriptor\.kind: .* for one element, and there are several; choose `snap`\.$",
        ),
        (
            {"element": {"W": 1, "Zr": 1, "Nb": 1}, "atoms": 2},
            ["W", "Zr", "Nb"],
            r"^pools\.entropy\.atoms: 2 atoms cannot hold all 3 elements of pools\.entropy\.element; give 3 or more",
        ),
        ({"element": "Fe"}, ["W"], r"^pools\.entropy\.element: no prototype has the element 'Fe', only W"),
        ({"repulsion": {"n": 4, "m": 4}}, ["W"], r"^pools\.entropy\.repulsion: m must be smaller than n"),
    ],
)
def test_what_cannot_be_annealed_is_refused_in_one_sentence(given, elements, sentence):
    crystals = prototypes({e: PrototypeOptions(element=e, lattice="bcc", a=3.2) for e in elements})
    options = PoolOptions(sampler="entropy", entropy={**QUICK, **given})
    with pytest.raises(InputError, match=sentence):
        sample(options.sampling, crystals, seed=1, pool="A", start=0, stop=1)
