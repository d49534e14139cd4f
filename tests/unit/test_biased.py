"""The sampler `biased`: its surrogate against linear algebra, its forces against differences, its rules as stated."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.io import write
from threadpoolctl import threadpool_limits

from gapdesign.descriptors import differentiable
from gapdesign.errors import InputError
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.biased import BiasedOptions, BiasedSampler
from gapdesign.samplers.options import PoolOptions
from gapdesign.samplers.shared import rows
from gapdesign.samplers.shared.rows import SurrogateOptions
from gapdesign.samplers.shared.surrogate import BiasedPotential, Explosion, Surrogate
from gapdesign.structures import Batch

COPPER = prototypes({"fcc": PrototypeOptions(element="Cu", lattice="fcc", a=3.615)})
ALLOY = prototypes({"b2": PrototypeOptions(element="CuZr", lattice="cesiumchloride", a=3.26)})
SMALL = {
    "calculator": "ase.calculators.emt.EMT",
    "atoms": 4,
    "temperature": 600,
    "equilibration": 5,
    "interval": 5,
    "longest": 20,
    "structures_per_trajectory": 6,
    "descriptor": {"arguments": {"two_j_max": 2}},
}
DESCRIPTORS = {
    "snap": SurrogateOptions(arguments={"two_j_max": 3}),
    "quippy": SurrogateOptions(backend="quippy", arguments={"r_cut": 4.0, "n_max": 3, "l_max": 2}),
}


def make(count: int = 6, start: int = 0, crystals=COPPER, **block) -> Batch:
    chosen = PoolOptions(sampler="biased", biased={**SMALL, **block}, constraints={"min_distance": 0})
    return sample(chosen.of("A").sampling, crystals, seed=1, pool="A", start=start, stop=count)


def distorted(seed: int = 0) -> Atoms:
    atoms = ALLOY[0].atoms.repeat((2, 1, 1))
    atoms.rattle(0.15, seed=seed)
    return atoms


@pytest.fixture(params=DESCRIPTORS)
def of_alloy(request):
    if request.param == "quippy":
        pytest.importorskip("quippy")
    return rows.make(DESCRIPTORS[request.param], [29, 40], [distorted(seed) for seed in range(5)])


def test_the_covariance_is_that_of_a_refactorised_model():
    generator = np.random.default_rng(2)
    first, second = generator.standard_normal((2, 20, 7))
    errors = generator.uniform(0.01, 2, 20)
    surrogate = Surrogate(7, 0.5)
    surrogate.learn(first, errors)
    copy = surrogate.copy()
    copy.learn(second, errors)
    precision = np.eye(7) / 0.25 + first.T @ (first / errors[:, None] ** 2)
    np.testing.assert_allclose(surrogate.covariance, np.linalg.inv(precision), rtol=1e-9, atol=1e-12)
    precision += second.T @ (second / errors[:, None] ** 2)
    np.testing.assert_allclose(copy.covariance, np.linalg.inv(precision), rtol=1e-9, atol=1e-12)
    sigma, slope = copy.uncertainty(first[0])
    assert sigma == pytest.approx(np.sqrt(first[0] @ copy.covariance @ first[0]))
    np.testing.assert_allclose(slope, copy.covariance @ first[0] / sigma, rtol=1e-9)


def test_no_variance_becomes_negative_where_a_row_is_known_a_million_times_better_than_the_prior():
    generator = np.random.default_rng(3)
    surrogate = Surrogate(30, 1e3)
    surrogate.learn(generator.standard_normal((300, 30)), np.full(300, 1e-6))
    assert np.linalg.eigvalsh(surrogate.covariance).min() > 0
    assert surrogate.uncertainty(np.zeros(30)) == (0.0, pytest.approx(np.zeros(30)))


def test_rows_of_forces_are_minus_the_derivatives_of_the_row_of_the_energy(of_alloy):
    atoms, step = distorted(9), 1e-4
    energy, pull = of_alloy(atoms)
    found = of_alloy.forces(atoms)
    assert energy.shape == (of_alloy.dimension,)
    expected = np.empty((len(atoms), 3, of_alloy.dimension))
    for place in np.ndindex(len(atoms), 3):
        values = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[place] += sign * step
            values.append(of_alloy(moved)[0])
        expected[place] = -(values[0] - values[1]) / (2 * step)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-6 * scale)
    slope = np.random.default_rng(1).standard_normal(of_alloy.dimension)
    np.testing.assert_allclose(pull(slope).ravel(), -found @ slope, atol=1e-10 * scale)


def test_atoms_of_the_sample_have_mean_zero_and_unit_variance(of_alloy):
    sample_of = [distorted(seed) for seed in range(5)]
    assert np.abs(sum(of_alloy(atoms)[0] for atoms in sample_of)).max() < 1e-9
    alone = rows.make(DESCRIPTORS["snap"], [29], [bulk("Cu", cubic=True), bulk("Cu", a=3.7)])
    squares = [(alone(atoms)[0] / len(atoms)) @ (alone(atoms)[0] / len(atoms)) for atoms in
               (bulk("Cu", cubic=True), bulk("Cu", a=3.7))]  # fmt: skip
    # Four atoms of one kind and one of another, so that variances weigh them by 4 : 1.
    assert (4 * squares[0] + squares[1]) / 5 == pytest.approx(1)


def test_forces_are_minus_the_derivatives_of_the_biased_energy(of_alloy):
    surrogate = Surrogate(of_alloy.dimension, 0.3)
    known = distorted(4)
    surrogate.learn(of_alloy.forces(known), np.full(12, 0.05))
    atoms = distorted(9)
    atoms.numbers[:] = 29  # EMT has no zirconium
    potential = BiasedPotential(EMT(), of_alloy, surrogate, share=0.1, averaged=1, max_force=1e3)
    potential.forces(atoms)
    potential.adapt()
    potential.tau *= 5  # a bias that cannot hide behind the calculator
    forces, step = potential.forces(atoms), 1e-4
    unbiased = potential.mean_forces(atoms)
    assert np.abs(forces - unbiased).max() > 0.1 * np.abs(unbiased).max()
    for place in np.ndindex(len(atoms), 3):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[place] += sign * step
            energies.append(potential.energy(moved))
        assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(forces[place], abs=1e-5)


class Given(Calculator):
    """Forces that depend on the number of the call alone."""

    implemented_properties = ("energy", "forces")

    def __init__(self, of_call) -> None:
        super().__init__()
        self.calls, self._of_call = 0, of_call

    def get_forces(self, atoms):
        self.calls += 1
        return self._of_call(self.calls, atoms)


class Linear:
    """One number that is the sum of all coordinates times ``slope``."""

    dimension = 1

    def __init__(self, slope: float) -> None:
        self._slope = slope

    def __call__(self, atoms):
        row = np.array([self._slope * atoms.positions.sum()])
        return row, lambda slope: np.full((len(atoms), 3), self._slope * slope[0])

    def forces(self, atoms):
        return np.full((3 * len(atoms), 1), -self._slope)


def test_the_mean_force_of_the_bias_becomes_the_share_asked_for():
    atoms = bulk("Cu", cubic=True)
    atoms.positions += 1
    forces = np.tile([3.0, 4.0, 0.0], (4, 1))
    potential = BiasedPotential(
        Given(lambda call, atoms: call * forces), Linear(0.2), Surrogate(1, 2.0), share=0.1, averaged=3, max_force=100
    )
    taus = []
    for _ in range(5):
        potential.forces(atoms)
        potential.adapt()
        taus.append(potential.tau)
    # Means of 5, 10, 15; then one third of what is new: 10 + (20 - 10)/3, + (25 - 13.3)/3.
    of_bias = 0.2 * 2 * np.sqrt(3)
    assert taus[:2] == [0, 0]
    np.testing.assert_allclose(taus[2:], 0.1 * np.array([10, 40 / 3, 155 / 9]) / of_bias)
    bias = potential.forces(atoms) - 6 * forces
    assert np.linalg.norm(bias, axis=1).mean() == pytest.approx(0.1 * 155 / 9)
    potential.restart()
    assert potential.tau == 0


def test_biased_dynamics_go_where_the_surrogate_is_uncertain():
    """Without updates, the bias makes sigma larger than plain dynamics do."""

    def sigmas(bias: float) -> np.ndarray:
        block = {
            **SMALL,
            "atoms": 16,
            "strain": 0,
            "temperature": 800,
            "bias": bias,
            "tolerance": None,
            "update": False,
        }
        block |= {"interval": 10, "descriptor": {"arguments": {"two_j_max": 4}}}
        sampler = BiasedSampler(BiasedOptions.model_validate(block), COPPER)
        known = bulk("Cu", a=3.615, cubic=True).repeat((2, 2, 1))
        known.rattle(0.1, seed=1)
        sampler._learn(sampler._before, known)
        frames = sampler._trajectory("1/candidates/A/0/trajectory/0", 40)
        return np.array([sampler._before.uncertainty(sampler._rows(atoms)[0])[0] for atoms in frames])

    plain, biased = sigmas(0.0)[5:], sigmas(0.4)[5:]
    assert biased.mean() > 2 * plain.mean()


def test_structures_are_taken_by_the_rule():
    sampler = BiasedSampler(BiasedOptions.model_validate({**SMALL, "interval": 10, "longest": 50}), COPPER)
    potential = BiasedPotential(None, None, None, share=0.1, averaged=1, max_force=1)
    potential.average, potential.sigma = 1.0, 1.09
    assert not sampler._takes(0, -1, potential)
    assert sampler._takes(0, 0, potential)
    assert not sampler._takes(1, 0, potential)
    assert not sampler._takes(1, 49, potential)
    assert sampler._takes(1, 50, potential)
    potential.sigma = 1.11
    assert not sampler._takes(1, 9, potential)
    assert sampler._takes(1, 10, potential)


def test_a_structure_that_is_taken_is_known_at_once():
    sampler = BiasedSampler(BiasedOptions.model_validate(SMALL), COPPER)
    atoms = distorted()
    atoms.numbers[:] = 29
    surrogate = sampler._before.copy()
    before, _ = surrogate.uncertainty(sampler._rows(atoms)[0])
    sampler._learn(surrogate, atoms)
    after, _ = surrogate.uncertainty(sampler._rows(atoms)[0])
    assert after < 0.001 * len(atoms) < before  # the energy's expected error
    force = sampler._rows.forces(atoms)
    assert max(surrogate.uncertainty(row)[0] for row in force) < 0.05
    assert sampler._before.uncertainty(sampler._rows(atoms)[0])[0] == before


def test_existing_structures_are_known_from_the_start(tmp_path):
    write(tmp_path / "mine.extxyz", [distorted(1), Atoms("Cu", cell=[20, 20, 20], pbc=True)])
    block = {**SMALL, "existing": str(tmp_path / "mine.extxyz"), "calculator": "ase.calculators.lj.LennardJones"}
    sampler = BiasedSampler(BiasedOptions.model_validate(block), ALLOY)
    other = BiasedSampler(BiasedOptions.model_validate({**block, "existing": None}), ALLOY)
    other._learn(other._before, distorted(1))
    # Files of structures have eight digits.
    np.testing.assert_allclose(sampler._before.covariance, other._before.covariance, rtol=1e-4, atol=1e-7)
    assert Path(block["existing"]) in BiasedSampler.data(sampler.options)
    with pytest.raises(InputError, match=r"^pools\.biased\.existing: frame 0 of .* holds Zr, which no prototype"):
        make(crystals=COPPER, **{"existing": block["existing"]})
    gone = PoolOptions(sampler="biased", biased={**SMALL, "existing": ["gone.xyz"]})
    with pytest.raises(InputError, match=r"^pools\.biased\.existing: no file 'gone\.xyz' for pool A;"):
        gone.check("A")


def test_the_number_of_threads_changes_no_bit():
    with threadpool_limits(1):
        one = make(3, descriptor={"arguments": {"two_j_max": 4}})
    with threadpool_limits(4):
        other = make(3, descriptor={"arguments": {"two_j_max": 4}})
    assert one.positions.tobytes() == other.positions.tobytes()


def test_a_trajectory_goes_on_from_the_last_structure_after_it_broke_down():
    options = BiasedOptions.model_validate({**SMALL, "restarts": 2, "tolerance": None})

    def frames(broken: tuple[int, ...], count: int = 4) -> list[Atoms]:
        sampler = BiasedSampler(options, COPPER)
        emt = EMT()

        def force(call, atoms):
            return np.full((4, 3), np.nan) if call in broken else emt.get_forces(atoms)

        sampler._calculator = Given(force)
        return list(sampler._trajectory("1/candidates/A/0/trajectory/7", count))

    whole = frames(())
    # Six calls to the first structure, one more because the surrogate learns it, five to the second.
    mended = frames((9,))
    assert np.array_equal(whole[0].positions, mended[0].positions)
    assert not np.allclose(whole[1].positions, mended[1].positions)
    assert np.isfinite(mended[-1].positions).all()
    sentence = (
        r"^pools\.biased: trajectory 7 of pool A broke down 3 times, the last time because a force is not a finite"
    )
    with pytest.raises(InputError, match=sentence):
        frames(tuple(range(9, 100)))
    with pytest.raises(
        InputError, match=r"^pools\.biased: trajectory 7 of pool A cannot start: a force is not a finite"
    ):
        frames((1,))


def test_what_counts_as_a_breakdown():
    atoms = bulk("Cu", cubic=True)

    def failing(call, atoms):
        raise ValueError("no\nconvergence")

    def potential(of_call):
        return BiasedPotential(Given(of_call), Linear(1), Surrogate(1, 1.0), share=0.1, averaged=1, max_force=10)

    for of_call, sentence in (
        (failing, "the calculator failed: no convergence"),
        (lambda call, atoms: np.full((4, 3), np.inf), "a force is not a finite number"),
        (lambda call, atoms: np.full((4, 3), 10.0), "a force reached 17.32 eV/angstrom"),
    ):
        with pytest.raises(Explosion, match=f"^{sentence}$"):
            potential(of_call).forces(atoms)
    sampler = BiasedSampler(BiasedOptions.model_validate({**SMALL, "min_distance": 0.9}), COPPER)
    assert not sampler._is_too_close(bulk("Cu", a=3.6))  # 2.55 angstrom, and 0.9 x 2 x 1.32 are 2.38
    assert sampler._is_too_close(bulk("Cu", a=3.3))


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"descriptor": {"backend": "dscribe"}}, r"`dscribe` has no derivatives; choose snap, .*quippy"),
        ({"descriptor": {"backend": "soup"}}, r"there is no descriptor `soup`; choose snap, "),
        ({"descriptor": {"arguments": {"j_max": 3}}}, r"`snap` does not take these `arguments` .*j_max"),
        ({"longest": 10, "interval": 20}, r"`longest` \(10\) must not be below `interval` \(20\)"),
        ({"tolerance": 0.9}, "greater than 1"),
    ],
)
def test_options_that_cannot_be_are_refused(block, sentence):
    with pytest.raises(ValueError, match=sentence):
        BiasedOptions.model_validate(block)


def test_its_job_runs_where_its_descriptor_can():
    def environment(**block):
        return BiasedSampler.environment(BiasedOptions.model_validate(block))

    assert "quippy" in differentiable()
    assert environment() == "eam"
    assert environment(descriptor={"backend": "quippy"}) == "gap"
    assert environment(calculator="ase.calculators.emt.EMT") == "core"
    with pytest.raises(InputError, match=r"^descriptor\.nep\.path: "):
        options = BiasedOptions.model_validate({**SMALL, "descriptor": {"backend": "nep", "arguments": {"path": "no"}}})
        BiasedSampler(options, COPPER)


def test_the_study_compares_methods_by_pairs_of_seeds():
    """Errors e and e^3 times those of `updated` have the geometric mean e^2, and logarithms of standard error 1."""
    import importlib.util

    import pandas as pd
    from scipy.stats import t

    path = Path(__file__).parents[2] / "config/studies/cu-biased/compare.py"
    spec = importlib.util.spec_from_file_location("compare_biased", path)
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    table = pd.DataFrame([
        {"seed": seed, "labels": 12, "method": method, "test": "all", "energy_rmse_mev": 7.0 * seed * factor}
        for seed in (1, 2)
        for method, factor in (("updated", 1.0), ("other", np.exp(2 * seed - 1)))
    ])  # fmt: skip
    found = study.ratios(table).loc[(12, "other"), "energy_rmse_mev"]
    half = t.ppf(0.975, 1)  # the standard error of 1 and 3 is 1
    np.testing.assert_allclose(np.log(found[["ratio", "low", "high"]].to_numpy(float)), [2, 2 - half, 2 + half])
