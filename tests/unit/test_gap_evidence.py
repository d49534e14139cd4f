"""Likelihood of all labels: the normal density written out, finite differences, and known noise found again."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.stats import multivariate_normal

from gapdesign.config.study import parse
from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.models.gap.environments import boxed, environments
from gapdesign.models.gap.evidence import Evidence, labelled
from gapdesign.models.gap.expansion import Expansion
from gapdesign.models.gap.fit import fit
from gapdesign.models.gap.hyperparameters import Hyperparameters, fixed
from gapdesign.models.gap.optimise import optimise
from gapdesign.models.gap.options import BoundsOptions, GapOptions, LbfgsOptions, SigmaOptions, SparseOptions
from gapdesign.models.gap.points import expand, model_of
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.shared.leastsquares import OFFSET, sigmas
from gapdesign.voigt import VOIGT

SOAP = SoapOptions(r_cut=4.0, n_max=2, l_max=2)
KERNEL = KernelOptions(pair=PairKernelOptions(r_cut=4.5))
ENERGIES = GapOptions(sparse=SparseOptions(points=6, jitter=1e-6), lbfgs=LbfgsOptions(starts=2))
ALL = ENERGIES.model_copy(update={"likelihood": "all"})
FOUND = Hyperparameters(
    pair_scale=0.8,
    pair_length=0.6,
    soap_scale=0.7,
    noise=0.002,
    **fixed(soap=SOAP, kernel=KERNEL, options=ENERGIES),
    log_likelihood=0.0,
    optimizer="lbfgs",
    evaluations=0,
    starts=(0.0,),
    at_bound=(),
)
MODEL = model_of(FOUND, soap=SOAP, kernel=KERNEL, options=ENERGIES)
ATOM = Atoms("Au", info={"REF_energy": -2.0})
TRUE = {"energy": 0.005, "force": 0.08, "virial": 0.03}


def cells(count: int, *, rattled: float = 0.1) -> list[Atoms]:
    """Strained cells of four atoms."""
    rng, found = np.random.default_rng(3), []
    for _ in range(count):
        atoms = bulk("Au", cubic=True)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.06 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += rattled * rng.normal(size=atoms.positions.shape)
        found.append(atoms)
    return found


def basis_of(frames: list[Atoms]) -> Expansion:
    seen = environments(frames, soap=SOAP, kernel=KERNEL, transition=0.5)
    return expand(seen, MODEL, ENERGIES.sparse)


def drawn(frames: list[Atoms]) -> list[Atoms]:
    """Give cells the labels of a potential of the model, under which isolated atoms have their energy, and noise."""
    rng, boxes = np.random.default_rng(7), boxed([ATOM], cutoff=4.5)
    basis = basis_of([*frames, *boxes])
    rows, covariance = LabelRows(basis, MODEL), basis.covariance(MODEL)
    coefficients = np.linalg.solve(np.linalg.cholesky(covariance).T, rng.normal(size=len(basis)))
    alone = rows(boxes[0])[0]
    solved = np.linalg.solve(covariance, alone)
    coefficients -= solved * (alone @ coefficients) / (alone @ solved)
    for atoms in frames:
        labels = rows(atoms) @ coefficients + rng.normal(size=OFFSET + 3 * len(atoms)) * sigmas(len(atoms), **TRUE)
        virial = np.zeros((3, 3))
        for place, value in zip(VOIGT, labels[1:OFFSET], strict=True):
            virial[place] = virial[place[::-1]] = value
        atoms.info |= {"REF_energy": labels[0] - 2.0 * len(atoms), "REF_virial": virial.ravel()}
        atoms.arrays["REF_forces"] = labels[OFFSET:].reshape(-1, 3)
    return frames


@pytest.fixture(scope="module")
def parts() -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and random labels of three cells, of which one has no virial and one no energy."""
    frames, rng = cells(3), np.random.default_rng(1)
    rows = LabelRows(basis_of(frames), MODEL)
    found = [(rows(atoms), rng.normal(size=OFFSET + 3 * len(atoms))) for atoms in frames]
    found[0][1][1:OFFSET] = np.nan
    found[2][1][0] = np.nan
    return found


@pytest.fixture(scope="module")
def covariance() -> np.ndarray:
    return basis_of(cells(3)).covariance(MODEL)


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    return drawn(cells(25))


def search(frames: list[Atoms], options: GapOptions) -> Hyperparameters:
    return optimise(frames, [ATOM], soap=SOAP, kernel=KERNEL, options=options, rng=np.random.default_rng(0))


class TestEvidence:
    @pytest.mark.parametrize("errors", [(0.02, 0.1, 0.3), (1e-3, 0.5, 0.01)])
    def test_it_is_the_normal_density_of_all_labels(self, parts, covariance, errors) -> None:
        evidence = Evidence(covariance, parts)
        assert evidence.names == ("noise", "noise_force", "noise_virial")
        rows, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
        widths = np.tile(sigmas(4, energy=errors[0], force=errors[1], virial=errors[2]), 3)
        whole = rows @ np.linalg.solve(covariance, rows.T) + np.diag(widths**2)
        there = np.isfinite(labels)
        expected = multivariate_normal(cov=whole[np.ix_(there, there)]).logpdf(labels[there])
        assert evidence.value_and_gradient(np.log(errors))[0] == pytest.approx(expected, rel=1e-6)

    def test_its_gradient_by_differences(self, parts, covariance) -> None:
        evidence, theta, step = Evidence(covariance, parts), np.log([0.02, 0.1, 0.3]), 1e-5
        _, gradient = evidence.value_and_gradient(theta)
        for k, move in enumerate(step * np.eye(3)):
            ends = [evidence.value_and_gradient(theta + sign * move)[0] for sign in (-1, 1)]
            assert gradient[k] == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-6, abs=1e-4)

    def test_kinds_without_labels_have_no_error(self, parts, covariance) -> None:
        energies = [(rows, np.where(np.arange(len(labels)) == 0, labels, np.nan)) for rows, labels in parts]
        assert Evidence(covariance, energies).names == ("noise",)

    def test_forces_that_are_zero_by_symmetry_tell_nothing(self) -> None:
        atoms = bulk("Au", cubic=True)  # whose atoms are all inversion centres
        basis = basis_of(cells(3))
        labels = np.r_[1.0, np.ones(6), np.zeros(12)]
        found = Evidence(basis.covariance(MODEL), [(LabelRows(basis, MODEL)(atoms), labels)])
        assert found.names == ("noise", "noise_virial")

    def test_labels_of_frames_in_the_order_of_rows(self, frames) -> None:
        atoms = frames[0].copy()
        del atoms.info["REF_virial"]
        pairs = list(labelled([frames[0], atoms], [1.5, 2.5], lambda one: np.zeros((19, 2))))
        virial = frames[0].info["REF_virial"].reshape(3, 3)
        forces = frames[0].arrays["REF_forces"].ravel()
        six = [virial[0, 0], virial[1, 1], virial[2, 2], virial[1, 2], virial[0, 2], virial[0, 1]]
        np.testing.assert_array_equal(pairs[0][1], np.r_[1.5, six, forces])
        np.testing.assert_array_equal(pairs[1][1], np.r_[2.5, np.full(6, np.nan), forces])


class TestSearch:
    def test_noise_of_labels_is_found_again(self, frames) -> None:
        """By 25 energies, 300 forces and 150 virials."""
        found = search(frames, ALL)
        assert found.noise == pytest.approx(TRUE["energy"], rel=0.5)
        assert found.noise_force == pytest.approx(TRUE["force"], rel=0.2)
        assert found.noise_virial == pytest.approx(TRUE["virial"], rel=0.3)
        assert len(found.starts) == 2
        assert np.ptp(found.starts) < 0.01
        assert found == search(frames, ALL)

    def test_without_the_option_the_file_is_as_before(self, frames) -> None:
        found, every = search(frames, ENERGIES).to_json(), search(frames, ALL).to_json()
        assert list(found)[-2:] == ["environments", "points"]
        assert list(every) == [*found, "noise_force", "noise_virial"]
        kept = ("pair_scale", "pair_length", "soap_scale", "pair", "soap", "optimizer", "environments", "points")
        assert {key: found[key] for key in kept} == {key: every[key] for key in kept}
        assert [Hyperparameters.from_json(own).to_json() for own in (found, every)] == [found, every]
        with pytest.raises(InputError, match="keys noises are missing or unknown"):
            Hyperparameters.from_json(found | {"noises": 1.0})

    def test_errors_at_a_bound_are_named(self, frames) -> None:
        bounds = BoundsOptions(noise_force=(0.2, 1.0), noise_virial=(1e-3, 0.002))
        found = search(frames, ALL.model_copy(update={"bounds": bounds}))
        assert {"noise_force", "noise_virial"} <= set(found.at_bound)
        assert (found.noise_force, found.noise_virial) == (0.2, 0.002)


class TestFit:
    def test_gap_fit_is_given_what_was_found(self, frames, tmp_path) -> None:
        found = Hyperparameters(**vars(FOUND) | {"noise_force": 0.0123, "noise_virial": 0.0456})
        given = {"soap": SOAP, "kernel": KERNEL, "output": tmp_path / "gp.xml"}
        for options, expected in (
            (ALL, "0.002 0.0123 0.0456 0.0"),
            (ENERGIES, "0.002 0.05 0.05 0.0"),
        ):
            fit(frames[:3], [ATOM], found, options=options, **given)
            written = re.search(r"default_sigma=\{(.*?)\}", (tmp_path / "gp.xml").read_text())[1]
            assert written.strip("{}") == expected

    def test_errors_that_were_not_found_are_those_stated(self) -> None:
        options = ALL.model_copy(update={"sigma": SigmaOptions(force=0.2, virial=0.3, energy_floor=0.01)})
        assert FOUND.expected_errors(options) == {"energy": 0.01, "force": 0.2, "virial": 0.3}


def test_the_option_is_a_key_of_a_study() -> None:
    from conftest import SMALL

    assert parse(SMALL | {"model": {"likelihood": "all"}}).model.likelihood == "all"
