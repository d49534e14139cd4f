"""Hyperparameters: two optimisers, one optimum; known noise found again; the same twice."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions, SoapKernelOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.models.gap.environments import environments
from gapdesign.models.gap.hyperparameters import Hyperparameters
from gapdesign.models.gap.likelihood import Likelihood
from gapdesign.models.gap.optimise import optimise
from gapdesign.models.gap.options import BoundsOptions, CmaOptions, GapOptions, LbfgsOptions

SOAP = SoapOptions(r_cut=4.0, n_max=3, l_max=3)
KERNEL = KernelOptions(pair=PairKernelOptions(r_cut=4.5))
LBFGS = GapOptions(lbfgs=LbfgsOptions(starts=4))
CMA = GapOptions(optimizer="cma", cma=CmaOptions(population=16, restarts=2, generations=80))
TRUE = {"pair_scale": 0.5, "pair_length": 0.6, "soap_scale": 0.4, "noise": 0.02}
ATOM = Atoms("Zr", info={"REF_energy": -2.0})


def draw(count: int) -> list[Atoms]:
    """Strained cells whose energies are a draw from the model with the hyperparameters TRUE."""
    rng = np.random.default_rng(5)
    kinds = [bulk("Zr", "bcc", a=3.57), bulk("Zr", "fcc", a=4.53), bulk("Zr", "hcp", a=3.23, c=5.15)]
    frames = []
    for index in range(count):
        atoms = kinds[index % 3].copy()
        strain = np.eye(3) + 0.08 * rng.standard_normal((3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        frames.append(atoms)
    seen = environments(frames, soap=SOAP, kernel=KERNEL, transition=0.5)
    model = Likelihood(seen, np.zeros(count), zeta=4, smallest_length=0.1)
    covariance = model.covariance(np.log([TRUE[name] for name in model.names]))
    covariance += np.diag(TRUE["noise"] ** 2 * seen.sizes)
    energies = np.linalg.cholesky(covariance) @ rng.standard_normal(count)
    for atoms, energy in zip(frames, energies, strict=True):
        atoms.info["REF_energy"] = energy - 2.0 * len(atoms)
    return frames


def run(frames: list[Atoms], options: GapOptions, kernel: KernelOptions = KERNEL) -> Hyperparameters:
    return optimise(frames, [ATOM], soap=SOAP, kernel=kernel, options=options, rng=np.random.default_rng(11))


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return draw(60)


@pytest.fixture(scope="module")
def found(frames) -> Hyperparameters:
    return run(frames, LBFGS)


def test_noise_of_the_draw_is_found_again(found):
    """Of 60 energies the noise is determined to some ten percent; the scales by an order."""
    assert found.noise == pytest.approx(TRUE["noise"], rel=0.4)
    assert 0.1 < found.soap_scale / TRUE["soap_scale"] < 10
    assert found.at_bound == ()


def test_optimum_is_better_than_the_truth_and_stationary(frames, found):
    atom = Atoms("Zr", cell=[18] * 3, pbc=True)
    energies = np.array([*(a.info["REF_energy"] + 2.0 * len(a) for a in frames), 0.0])
    seen = environments([*frames, atom], soap=SOAP, kernel=KERNEL, transition=0.5)
    model = Likelihood(seen, energies, zeta=4, smallest_length=0.1)
    theta = np.log([getattr(found, name) for name in model.names])
    value, gradient = model.value_and_gradient(theta)
    assert value == pytest.approx(found.log_likelihood, abs=1e-3)
    assert value > model.value(np.log([TRUE[name] for name in model.names]))
    assert np.abs(gradient).max() < 0.05


def test_cma_finds_the_same_and_the_same_again(frames, found):
    first, second = run(frames, CMA), run(frames, CMA)
    assert first == second
    assert len(first.starts) == 2
    assert first.log_likelihood == pytest.approx(found.log_likelihood, abs=0.01)
    assert first.noise == pytest.approx(found.noise, rel=0.02)


def test_cma_leaves_the_global_generator_alone(frames):
    before = np.random.get_state()[1].tobytes()
    run(frames[:5], GapOptions(optimizer="cma", cma=CmaOptions(population=4, restarts=1, generations=3)))
    assert np.random.get_state()[1].tobytes() == before


def test_every_start_is_reported_and_the_best_one_kept(found):
    assert len(found.starts) == 4
    assert found.log_likelihood == max(found.starts)


def test_what_sits_at_a_bound_is_named(frames):
    bounds = BoundsOptions(noise=(0.04, 0.1), pair_length=(0.2, 3.0))
    assert "noise" in run(frames, GapOptions(bounds=bounds)).at_bound


def test_parts_of_scale_zero_are_left_out(frames):
    soap_only = KernelOptions(pair=PairKernelOptions(scale=0))
    assert run(frames[:12], LBFGS, soap_only).pair_scale == 0
    pairs_only = KernelOptions(soap=SoapKernelOptions(scale=0), pair=PairKernelOptions(r_cut=4.5))
    assert run(frames[:12], LBFGS, pairs_only).soap_scale == 0
    nothing = KernelOptions(soap=SoapKernelOptions(scale=0), pair=PairKernelOptions(scale=0))
    with pytest.raises(InputError, match=r"soap\.scale and pair\.scale are both 0"):
        run(frames[:12], LBFGS, nothing)


def test_a_design_without_structures_is_refused():
    with pytest.raises(InputError, match="no labelled structure"):
        run([], LBFGS)


def test_singular_everywhere_is_said(frames):
    twice = [frames[0]] * 3
    bounds = BoundsOptions(noise=(1e-14, 1e-13), pair_scale=(50.0, 100.0))
    with pytest.raises(InputError, match="singular wherever it was tried"):
        run(twice, GapOptions(bounds=bounds, lbfgs=LbfgsOptions(starts=2)))


def test_json_holds_all_and_gives_the_same_back(found):
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert Hyperparameters.from_json(value) == found
    assert value["soap"] == {"r_cut": 4.0, "transition": 0.5, "sigma": 0.5, "n_max": 3, "l_max": 3, "zeta": 4}
    assert value["pair"] == {"r_cut": 4.5, "transition": 0.5}
    del value["noise"]
    with pytest.raises(InputError, match="keys noise are missing or unknown"):
        Hyperparameters.from_json(value)


def test_hyperparameters_of_another_configuration_are_refused(found):
    found.check(soap=SOAP, kernel=KERNEL, options=LBFGS)
    with pytest.raises(InputError, match="run the stage again"):
        found.check(soap=SoapOptions(), kernel=KERNEL, options=LBFGS)
    without = KernelOptions(pair=PairKernelOptions(r_cut=4.5, scale=0))
    with pytest.raises(InputError, match="found for pair"):
        found.check(soap=SOAP, kernel=without, options=LBFGS)


@pytest.mark.parametrize("bounds", [(0.1, 0.01), (0.0, 1.0), (1.0, 1.0)])
def test_bounds_must_be_positive_and_ascend(bounds):
    with pytest.raises(ValueError, match="the smaller first"):
        BoundsOptions(noise=bounds)
