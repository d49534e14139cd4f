"""Points of potentials and the cost of a fit: brute force, gap_fit's own figures, and least squares of our own."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from scipy.sparse import csr_array

from conftest import SMALL
from gapdesign import cli
from gapdesign.config.part import At
from gapdesign.config.study import parse
from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions, SoapKernelOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.files import write_frames
from gapdesign.models.gap.costs import PROGRAMS, Points, Work
from gapdesign.models.gap.environments import GapStructures, SoapBlock, boxed, environments
from gapdesign.models.gap.expansion import soap_covariance
from gapdesign.models.gap.fit import Fit, fit
from gapdesign.models.gap.hyperparameters import Hyperparameters, fixed
from gapdesign.models.gap.optimise import optimise
from gapdesign.models.gap.options import MOST, GapOptions, LbfgsOptions, SparseOptions
from gapdesign.models.gap.points import chosen, expand, model_of
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.gap.template import calculator
from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.leastsquares import OFFSET

SOAP = SoapOptions(r_cut=4.0, n_max=2, l_max=2)
KERNEL = KernelOptions(pair=PairKernelOptions(r_cut=4.5))
OPTIONS = GapOptions(sparse=SparseOptions(points=6, jitter=1e-8))
FOUND = Hyperparameters(
    pair_scale=0.8,
    pair_length=0.6,
    soap_scale=0.7,
    noise=0.002,
    **fixed(soap=SOAP, kernel=KERNEL, options=OPTIONS),
    log_likelihood=0.0,
    optimizer="lbfgs",
    evaluations=0,
    starts=(0.0,),
    at_bound=(),
)
MODEL = model_of(FOUND, soap=SOAP, kernel=KERNEL, options=OPTIONS)
SYMBOLS = ["Cu", "Ag", "Pt", "Au"]


def labelled(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = EMT()
    atoms.info["REF_energy"] = float(copy.get_potential_energy())
    atoms.info["REF_virial"] = (-copy.get_stress(voigt=False) * copy.get_volume()).ravel()
    atoms.arrays["REF_forces"] = copy.get_forces()
    return atoms


@pytest.fixture(scope="module")
def isolated() -> list[Atoms]:
    return [labelled(Atoms(symbol, cell=[20] * 3, pbc=True)) for symbol in SYMBOLS]


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    """Nine strained and rattled cells of four elements."""
    rng, found = np.random.default_rng(5), []
    for _ in range(9):
        atoms = bulk("Au", cubic=True)
        atoms.symbols = rng.permutation(SYMBOLS)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.06 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
        found.append(labelled(atoms))
    return found


@pytest.fixture(scope="module")
def fitted(frames, isolated, tmp_path_factory) -> tuple[str, Fit]:
    """A potential of seven cells with six points per element; the last virial is missing."""
    train, output = [atoms.copy() for atoms in frames[:7]], tmp_path_factory.mktemp("fit") / "gp.xml"
    del train[-1].info["REF_virial"]
    told: list[str] = []
    done = fit(train, isolated, FOUND, soap=SOAP, kernel=KERNEL, options=OPTIONS, output=output, tell=told.append)
    assert told == [sentence for sentence in told if "24 of 32 distinct environments are points" in sentence]
    return output.read_text(), done


class TestFourElements:
    def test_gap_fit_agrees_with_our_own_least_squares(self, fitted, frames, isolated) -> None:
        """Of energies, forces and virials, with the same points; the tolerances are those of its digits and its QR."""
        text, done = fitted
        assert (done.energies, done.forces, done.virials, done.environments) == (11, 84, 36, 24)
        assert len(re.search(r"(?s)gap=\{.*\]\]", text)[0]) > 2550  # more than an argument of gap_fit may have
        boxes = boxed(isolated, cutoff=4.5)
        basis = expand(
            environments([*boxes, *frames[:7]], soap=SOAP, kernel=KERNEL, transition=0.5), MODEL, OPTIONS.sparse
        )
        rows, alone = LabelRows(basis, MODEL), {str(atom.symbols): atom.info["REF_energy"] for atom in isolated}
        widths = {"energy": 0.002, "force": OPTIONS.sigma.force, "virial": OPTIONS.sigma.virial}
        parts = [(rows(box), np.r_[0.0, np.full(9, np.nan)], leastsquares.sigmas(1, **widths)) for box in boxes]
        for k, atoms in enumerate(frames[:7]):
            virial = atoms.info["REF_virial"].reshape(3, 3)[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
            virial = np.full(6, np.nan) if k == 6 else virial
            above = atoms.info["REF_energy"] - sum(alone[symbol] for symbol in atoms.symbols)
            labels = np.concatenate([[above], virial, atoms.arrays["REF_forces"].ravel()])
            parts.append((rows(atoms), labels, leastsquares.sigmas(len(atoms), **widths)))
        ours = leastsquares.coefficients(leastsquares.add(leastsquares.prior(basis.covariance(MODEL)), parts))
        theirs = calculator(text)
        for atoms in frames[7:]:
            copy, mine = atoms.copy(), rows(atoms) @ ours
            copy.calc = theirs
            above = copy.get_potential_energy() - sum(alone[symbol] for symbol in copy.symbols)
            assert mine[0] == pytest.approx(above, abs=1e-6 * len(copy))
            np.testing.assert_allclose(mine[OFFSET:], copy.get_forces().ravel(), atol=1e-6)
            np.testing.assert_allclose(mine[1:OFFSET], -copy.get_stress() * copy.get_volume(), atol=1e-5)


class TestPoints:
    def vectors(self, count: int = 30) -> np.ndarray:
        vectors = np.random.default_rng(1).random((count, 6))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def test_all_are_points_in_their_order_up_to_the_limit(self) -> None:
        vectors = self.vectors()
        twice = np.concatenate([vectors, vectors[:5]])
        for most in (None, 30, 31):
            np.testing.assert_array_equal(chosen(twice, MODEL, most=most), vectors)

    def test_beyond_it_each_has_the_largest_variance_given_those_before(self) -> None:
        vectors = self.vectors()
        points = chosen(vectors, MODEL, most=7)
        for count in range(1, 7):
            known = points[:count]
            inverse = np.linalg.inv(soap_covariance(known, known, MODEL))
            cross = soap_covariance(vectors, known, MODEL)
            variance = MODEL.kernel.soap.scale**2 - np.einsum("ij,jk,ik->i", cross, inverse, cross)
            np.testing.assert_array_equal(points[count], vectors[np.argmax(variance)])

    def test_the_order_of_structures_does_not_matter_then(self) -> None:
        vectors = self.vectors()
        np.testing.assert_array_equal(chosen(vectors[::-1], MODEL, most=7), chosen(vectors, MODEL, most=7))

    def test_options(self) -> None:
        assert [SparseOptions(points=points).most for points in ("auto", "all", 12)] == [MOST, None, 12]

    def test_their_number_is_stated_beside_the_hyperparameters(self, frames, isolated) -> None:
        kernel = KernelOptions(soap=SoapKernelOptions(scale=1.0), pair=PairKernelOptions(scale=0.0))
        options = GapOptions(lbfgs=LbfgsOptions(starts=1), sparse=SparseOptions(points=3))
        rng = np.random.default_rng(0)
        found = optimise(frames[:2], isolated, soap=SOAP, kernel=kernel, options=options, rng=rng)
        assert (found.environments, found.points) == (12, 12)


class TestCost:
    def test_derivatives_are_nine_for_each_atom_and_neighbour_and_three_without_a_virial(
        self, frames, isolated
    ) -> None:
        seen = environments(frames, soap=SOAP, kernel=KERNEL, transition=0.5)
        data = [atoms.copy() for atoms in frames]
        del data[0].info["REF_virial"]
        work = Work.of(data, SOAP, seen, labels=100)
        for z in (29, 47, 78, 79):
            counts = [  # each cell has one atom of an element
                1 + int((neighbor_list("i", atoms, SOAP.r_cut) == k).sum())
                for atoms in frames
                for k in np.flatnonzero(atoms.numbers == z)
            ]
            assert work.derivatives[z] == 9 * sum(counts) - 6 * counts[0]

    def test_gap_fit_announces_the_same_arrays(self, fitted, frames, isolated) -> None:
        _, done = fitted
        arrays = {
            (int(length), int(count))
            for length, count in re.findall(r"Descriptor \d+ :: xPrime\s+(\d+)\s+(\d+)", done.log)
            if int(length) > 1
        }
        boxes = boxed(isolated, cutoff=4.5)
        data = [*boxes, *(atoms.copy() for atoms in frames[:7])]
        del data[-1].info["REF_virial"]
        seen = environments(data, soap=SOAP, kernel=KERNEL, transition=0.5)
        work = Work.of(data, SOAP, seen, labels=done.energies + done.forces + done.virials)
        assert {count for _, count in arrays} == set(work.derivatives.values())
        assert {length for length, _ in arrays} == {work.dimension}
        total, rows = done.environments + done.distances, work.labels
        assert re.search(rf"yY\s+{total}\s+{rows}\s", done.log)
        assert re.search(rf"\bA\s+{total}\s+{rows + total}\s", done.log)

    def test_time_and_memory_by_hand(self) -> None:
        work = Work(dimension=100, derivatives={42: 1_000_000}, labels=9000)
        points = Points({42: 980}, 20)
        assert work.seconds(points) == pytest.approx(100 * 1e6 * (1.2e-7 + 1.85e-9 * 980) + 8e-10 * 10_000 * 1e6)
        assert work.megabytes(points) == PROGRAMS + int(8 * (1e8 + 1e7) / 2**20) + 1
        small = Work(dimension=1, derivatives={42: 10}, labels=9000)
        assert small.megabytes(points) == PROGRAMS + int(16 * (1e7 + 9e6) / 2**20) + 1

    def test_too_little_memory_is_refused_before_gap_fit_starts(self, frames, isolated, tmp_path) -> None:
        given = {"soap": SOAP, "kernel": KERNEL, "options": OPTIONS, "output": tmp_path / "gp.xml"}
        with pytest.raises(
            InputError, match=r"^model: this fit needs 35\d MiB and may use 100; add .*mem_mb=400`, or .*\.$"
        ):
            fit(frames, isolated, FOUND, **given, memory=100)
        assert list(tmp_path.iterdir()) == []

    def test_a_study_asks_for_what_the_labels_of_its_largest_prototype_will_need(self, tmp_path) -> None:
        cell = bulk("Au", cubic=True).repeat(3)
        cell.positions += 0.1 * np.random.default_rng(0).normal(size=cell.positions.shape)
        write_frames(tmp_path / "cell.extxyz", [cell])
        study = parse(
            SMALL
            | {"prototypes": {"cell": {"file": str(tmp_path / "cell.extxyz")}}, "budget": 20}
            | {"descriptor": {"soap": {"r_cut": 6.0, "n_max": 10, "l_max": 10}}}
        )
        work, points = Work.expected(At(study, "OPT"))
        assert points.environments == {79: MOST}
        data = [Atoms(cell.numbers, positions=cell.positions, cell=cell.cell, pbc=True)] * 20
        for atoms in data:
            atoms.info["REF_virial"], atoms.arrays["REF_forces"] = np.zeros(9), np.zeros((len(cell), 3))
        block = SoapBlock(np.zeros((1, 606)), csr_array((1, 1)))  # n (n + 1) / 2 (l + 1) + 1
        seen = GapStructures(np.zeros(1), {79: block}, {})
        real = Work.of(data, study.descriptor.soap, seen, labels=20 * (7 + 3 * len(cell)))
        assert (work.dimension, work.labels) == (real.dimension, real.labels)
        assert real.derivatives[79] < work.derivatives[79] < 1.5 * real.derivatives[79]
        job = cli.jobs()["fit"]
        assert job.megabytes(At(study, "OPT")) == work.megabytes(points) > 4000
        assert job.time_limit(At(study, "OPT")) >= work.seconds(points) / 60
        other = parse(
            study.model_dump(mode="json", exclude_none=True) | {"pools": SMALL["pools"] | {"sampler": "supercell"}}
        )
        assert Work.expected(At(other, "OPT")) is None
        assert job.megabytes(At(other, "OPT")) == 4000
