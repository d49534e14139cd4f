"""The replay: rows by finite differences, potentials by gap_fit itself, errors and surfaces by closed forms."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list

from gapdesign import cli
from gapdesign.config import study as config
from gapdesign.config.part import At
from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions, SoapKernelOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.engines.file import FileOptions
from gapdesign.errors import InputError, ProgramError
from gapdesign.files import read_frames, write_array, write_frames
from gapdesign.models.gap.basis import choose
from gapdesign.models.gap.environments import boxed
from gapdesign.models.gap.expansion import Expansion, Model, pivots, soap_covariance
from gapdesign.models.gap.linear import Factor, Sigmas
from gapdesign.models.gap.rows import LabelRows
from gapdesign.models.gap.template import calculator, gap_fit, with_coefficients
from gapdesign.models.shared import leastsquares
from gapdesign.models.shared.leastsquares import OFFSET, offsets
from gapdesign.replay.equivalents import MEASURES, crossing, equivalents
from gapdesign.replay.fits import errors, trained, trainings
from gapdesign.replay.labels import LabelFiles, LabelledRows, Labels
from gapdesign.replay.options import ReplayOptions
from gapdesign.replay.requirements import check
from gapdesign.replay.surfaces import crystal, surface_energy
from gapdesign.report.replay_figures import errors_figure, surfaces_figure
from gapdesign.report.style import svg_text
from gapdesign.voigt import VOIGT

ROOT = Path(__file__).parents[2]
MODEL = Model(
    soap=SoapOptions(r_cut=4.0, n_max=3, l_max=2),
    kernel=KernelOptions(
        soap=SoapKernelOptions(scale=2.0, zeta=3), pair=PairKernelOptions(r_cut=4.5, length=0.7, scale=1.5)
    ),
    transition=0.6,
    jitter=1e-8,
)
SIGMAS = Sigmas(energy=0.002, force=0.07, virial=0.03)
ALONE = {"Cu": -1.5, "Zr": -2.5}


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    """Six rattled cells of one or two elements, of 2 to 8 atoms."""
    rng = np.random.default_rng(1)
    found = []
    for k in range(6):
        atoms = bulk("Cu", "fcc", a=3.7, cubic=True) if k % 2 else bulk("CuZr", "cesiumchloride", a=3.2)
        if k == 4:
            atoms = atoms.repeat((2, 2, 1))
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.05 * rng.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        found.append(atoms)
    return found


@pytest.fixture(scope="module")
def basis(frames: list[Atoms]) -> Expansion:
    own = {"points": 8, "sample": 100, "per_length": 2.0, "rng": np.random.default_rng(0)}
    return choose(lambda: iter(frames), [29, 40], MODEL, **own)


@pytest.fixture(scope="module")
def labelled(frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> list[Atoms]:
    """The cells as a file has them with random labels; one has no virial, one no forces, one no energy."""
    rng, found = np.random.default_rng(2), []
    for k, atoms in enumerate(frames):
        copy, virial = atoms.copy(), rng.normal(size=(3, 3))
        copy.info = {"REF_energy": sum(ALONE[s] for s in copy.symbols) - 3.0 * len(copy) + rng.normal()}
        copy.info |= {"REF_virial": (virial + virial.T).ravel(), "config_type": f"kind-{k % 2}"}
        copy.arrays["REF_forces"] = 0.5 * rng.normal(size=(len(copy), 3))
        found.append(copy)
    del found[1].info["REF_virial"], found[2].arrays["REF_forces"], found[3].info["REF_energy"]
    path = tmp_path_factory.mktemp("labelled") / "frames.extxyz"
    write_frames(path, found)
    return read_frames(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, labelled: list[Atoms]) -> LabelFiles:
    path = tmp_path_factory.mktemp("labels") / "labels.extxyz"
    write_frames(path, labelled)
    return LabelFiles(FileOptions(paths=(str(path),), isolated=ALONE))


@pytest.fixture(scope="module")
def pool(
    tmp_path_factory: pytest.TempPathFactory, files: LabelFiles, labelled: list[Atoms], basis: Expansion
) -> LabelledRows:
    """The cells as a pool of two shards."""
    rows = LabelRows(basis, MODEL)
    folder, paths = tmp_path_factory.mktemp("rows"), []
    for start, stop in ((0, 4), (4, 6)):
        paths.append(folder / f"{start}-{stop}.npy")
        write_array(paths[-1], np.concatenate([rows(atoms) for atoms in labelled[start:stop]]))
    return LabelledRows(paths, files.labels(labelled, "A"))


class TestRows:
    def test_forces_are_derivatives_of_energies(self, basis: Expansion, frames: list[Atoms]) -> None:
        rows, step = LabelRows(basis, MODEL), 1e-4
        for atoms in frames[:2]:
            found = rows(atoms)
            for atom, axis in ((0, 0), (1, 2)):
                ends = []
                for sign in (-1, 1):
                    moved = atoms.copy()
                    moved.positions[atom, axis] += sign * step
                    ends.append(rows(moved)[0])
                slope = (ends[1] - ends[0]) / (2 * step)
                np.testing.assert_allclose(found[OFFSET + 3 * atom + axis], -slope, atol=1e-6 * np.abs(slope).max())

    def test_virials_are_derivatives_by_strain(self, basis: Expansion, frames: list[Atoms]) -> None:
        rows, step = LabelRows(basis, MODEL), 1e-5
        for atoms in frames[:2]:
            found = rows(atoms)
            for place, (a, b) in enumerate(VOIGT):
                ends = []
                for sign in (-1, 1):
                    strain = np.zeros((3, 3))
                    strain[a, b] += 0.5 * sign * step
                    strain[b, a] += 0.5 * sign * step
                    strained = atoms.copy()
                    strained.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
                    ends.append(rows(strained)[0])
                slope = (ends[1] - ends[0]) / (2 * step)
                np.testing.assert_allclose(found[1 + place], -slope, atol=1e-5 * np.abs(slope).max())

    def test_where_the_rows_of_structures_begin(self) -> None:
        assert offsets([1, 2]).tolist() == [0, 10, 23]


class TestBasis:
    def test_each_pivot_has_the_largest_variance_given_those_before(self) -> None:
        rng = np.random.default_rng(3)
        vectors = rng.random((40, 6))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = pivots(vectors, 6, MODEL)
        chosen = [int(np.argmax((vectors == point).all(axis=1))) for point in found]
        whole = soap_covariance(vectors, vectors, MODEL)
        for count in range(1, 6):
            known = chosen[:count]
            solved = np.linalg.solve(whole[np.ix_(known, known)], whole[known])
            variance = np.diag(whole) - (whole[known] * solved).sum(axis=0)
            assert chosen[count] == np.argmax(variance)

    @pytest.mark.parametrize("sample", [1, 7, 1000])
    def test_pivots_are_of_a_blind_draw_from_the_environments_of_all_structures(
        self, frames: list[Atoms], sample: int
    ) -> None:
        """The draw by its definition: all environments one under the other, and a permutation an element."""
        from quippy.descriptors import Descriptor

        own = {"points": 5, "sample": sample, "per_length": 2.0}
        found = choose(lambda: iter(frames), [29, 40], MODEL, rng=np.random.default_rng(5), **own)
        rng = np.random.default_rng(5)
        for z, points in found.soap.items():
            descriptor = Descriptor(MODEL.soap_string(z, [29, 40]))
            parts = [descriptor.calc_descriptor(atoms) for atoms in frames if z in atoms.numbers]
            whole = np.concatenate(parts).astype(np.float32).astype(float)
            drawn = whole[np.sort(rng.permutation(len(whole))[:sample])]
            np.testing.assert_array_equal(points, pivots(drawn, 5, MODEL))

    def test_copies_are_no_points(self) -> None:
        assert len(pivots(np.repeat(np.eye(3), 4, axis=0), 12, MODEL)) == 3

    def test_written_and_read(self, basis: Expansion, tmp_path: Path) -> None:
        basis.write(tmp_path / "one.npz")
        again = Expansion.read(tmp_path / "one.npz")
        again.write(tmp_path / "two.npz")
        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
        assert again.elements == [29, 40]
        assert list(again.pairs) == [(29, 29), (29, 40), (40, 40)]
        np.testing.assert_array_equal(again.covariance(MODEL), basis.covariance(MODEL))

    def test_what_is_no_basis_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such file"):
            Expansion.read(tmp_path / "points.npz")
        (tmp_path / "points.npz").write_text("no")
        with pytest.raises(InputError, match="not complete"):
            Expansion.read(tmp_path / "points.npz")


class TestLeastSquares:
    def problem(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(4)
        root = rng.normal(size=(5, 5))
        return rng.normal(size=(60, 5)), rng.normal(size=60), rng.uniform(0.5, 2, 60), root @ root.T + np.eye(5)

    def test_the_normal_equations_hold(self) -> None:
        rows, labels, widths, covariance = self.problem()
        found = leastsquares.coefficients(leastsquares.add(leastsquares.prior(covariance), [(rows, labels, widths)]))
        weighted = rows / widths[:, None] ** 2
        expected = np.linalg.solve(covariance + rows.T @ weighted, weighted.T @ labels)
        np.testing.assert_allclose(found, expected, rtol=1e-10)

    def test_labels_may_come_in_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows, labels, widths, covariance = self.problem()
        prior = leastsquares.prior(covariance)
        whole = leastsquares.coefficients(leastsquares.add(prior, [(rows, labels, widths)]))
        halves = leastsquares.add(prior, [(rows[:20], labels[:20], widths[:20])])
        monkeypatch.setattr(leastsquares, "BLOCK", 7)
        rest = [(rows[k : k + 4], labels[k : k + 4], widths[k : k + 4]) for k in range(20, 60, 4)]
        np.testing.assert_allclose(leastsquares.coefficients(leastsquares.add(halves, rest)), whole, rtol=1e-10)

    def test_a_label_that_is_not_there_is_left_out(self) -> None:
        rows, labels, widths, covariance = self.problem()
        prior, there = leastsquares.prior(covariance), np.arange(60) % 3 > 0
        part = leastsquares.add(prior, [(rows[there], labels[there], widths[there])])
        gaps = leastsquares.add(prior, [(rows, np.where(there, labels, np.nan), widths)])
        np.testing.assert_array_equal(gaps, part)

    def test_points_that_are_too_alike_are_named(self) -> None:
        with pytest.raises(ProgramError, match=r"replay\.points"):
            leastsquares.prior(np.ones((3, 3)))


@pytest.fixture(scope="module")
def theirs(basis: Expansion, labelled: list[Atoms]) -> str:
    boxes = boxed(alone(), cutoff=4.5)
    return gap_fit(basis, MODEL, boxes, labelled, energy=0.002, force=0.07, virial=0.03)


@pytest.fixture(scope="module")
def ours(basis: Expansion, pool: LabelledRows) -> np.ndarray:
    rows = LabelRows(basis, MODEL)
    parts = [(rows(box), np.r_[0.0, np.full(9, np.nan)], SIGMAS.of(1)) for box in boxed(alone(), cutoff=4.5)]
    start = leastsquares.add(leastsquares.prior(basis.covariance(MODEL)), parts)
    return trained(Factor(start, SIGMAS), {"A": pool}, {"A": range(6)}).coefficients()


class TestGapFit:
    """gap_fit with the same points is asked; the tolerances are those of its 15 printed digits and its QR."""

    def test_its_potential_predicts_the_same(
        self, theirs: str, ours: np.ndarray, basis: Expansion, labelled: list[Atoms]
    ) -> None:
        potential, rows = calculator(theirs), LabelRows(basis, MODEL)
        for atoms in labelled:
            copy, mine = atoms.copy(), rows(atoms) @ ours
            copy.calc = potential
            above = copy.get_potential_energy() - sum(ALONE[s] for s in copy.symbols)
            assert mine[0] == pytest.approx(above, abs=1e-6 * len(copy))
            np.testing.assert_allclose(mine[OFFSET:], copy.get_forces().ravel(), atol=1e-6)
            virial = -copy.get_stress() * copy.get_volume()
            np.testing.assert_allclose(mine[1:OFFSET], virial, atol=1e-5)

    def test_its_file_carries_other_coefficients(self, theirs: str, basis: Expansion, frames: list[Atoms]) -> None:
        other = np.random.default_rng(5).normal(size=len(basis))
        text = with_coefficients(theirs, other)
        written = [float(value) for value in re.findall(r'<sparseX i="\d+" alpha="([^"]*)"', text)]
        np.testing.assert_array_equal(written, other)
        copy = frames[0].copy()
        copy.calc = calculator(text)
        np.testing.assert_allclose(
            copy.get_forces().ravel(), (LabelRows(basis, MODEL)(copy) @ other)[OFFSET:], atol=1e-9
        )

    def test_another_number_of_coefficients_is_refused(self, theirs: str) -> None:
        with pytest.raises(ProgramError, match="coefficients, not 3"):
            with_coefficients(theirs, np.zeros(3))


def alone() -> list[Atoms]:
    return [Atoms(element, info={"REF_energy": energy}) for element, energy in ALONE.items()]


class TestLabels:
    def test_what_a_frame_has_is_found_in_any_order(self, files: LabelFiles, labelled: list[Atoms]) -> None:
        found = files.labels(labelled[::-1], "A")
        assert found.sizes.tolist() == [len(atoms) for atoms in labelled[::-1]]
        assert found.groups.tolist() == ["kind-1", "kind-0"] * 3
        for k, atoms in enumerate(labelled[::-1]):
            own = found.of(k)
            assert np.isfinite(own[0]) == ("REF_energy" in atoms.info)
            assert np.isfinite(own[1:OFFSET]).all() == ("REF_virial" in atoms.info)
            assert np.isfinite(own[OFFSET:]).all() == ("REF_forces" in atoms.arrays)
        last = found.of(5)
        assert last[0] == pytest.approx(labelled[0].info["REF_energy"] - ALONE["Cu"] - ALONE["Zr"])
        assert last[4] == pytest.approx(labelled[0].info["REF_virial"].reshape(3, 3)[1, 2])

    def test_a_stress_becomes_a_virial(self, tmp_path: Path) -> None:
        atoms = bulk("Cu")
        atoms.info = {"REF_energy": -1.0, "REF_stress": np.diag([0.1, 0.2, 0.3]).ravel()}
        write_frames(tmp_path / "a.xyz", [atoms])
        (label,) = [LabelFiles(FileOptions(paths=(str(tmp_path / "a.xyz"),), isolated=ALONE)).labels([atoms], "A")]
        np.testing.assert_allclose(label.values[1:4], -atoms.get_volume() * np.array([0.1, 0.2, 0.3]))

    def test_an_isolated_atom_is_taken_from_the_files(self, tmp_path: Path) -> None:
        lone = Atoms("Cu", cell=[20] * 3, pbc=True, info={"config_type": "isolated_atom", "REF_energy": -7.0})
        write_frames(tmp_path / "a.xyz", [lone])
        assert LabelFiles(FileOptions(paths=(str(tmp_path / "a.xyz"),))).isolated == {"Cu": -7.0}

    def test_mistakes_are_named(self, files: LabelFiles, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"candidate 0 of pool B .* is not in these files"):
            files.labels([bulk("Cu")], "B")
        with pytest.raises(InputError, match=r"labels\.file\.paths: it is empty"):
            LabelFiles(FileOptions())
        atoms = bulk("Cu")
        atoms.info["REF_energy"] = -1.0
        write_frames(tmp_path / "a.xyz", [atoms])
        with pytest.raises(InputError, match=r"labels\.file\.isolated"):
            LabelFiles(FileOptions(paths=(str(tmp_path / "a.xyz"),))).labels([atoms], "A")

    def test_frames_that_contradict_each_other_are_named(self, tmp_path: Path) -> None:
        given, path = FileOptions(paths=(str(tmp_path / "a.xyz"),), isolated=ALONE), tmp_path / "a.xyz"
        first, again = bulk("Cu"), bulk("Cu")
        first.info["REF_energy"], again.info["REF_energy"] = -1.0, -1.1
        write_frames(path, [first, again])
        with pytest.raises(InputError, match=r"a\.xyz, frame 1 repeats the structure of .*a\.xyz, frame 0"):
            LabelFiles(given).labels([first], "A")
        lone = Atoms("Cu", cell=[20] * 3, pbc=True, info={"config_type": "isolated_atom"})
        write_frames(path, [first, lone])
        with pytest.raises(InputError, match=r"isolated atom of Cu is missing: .*frame 1 is one, without an energy"):
            LabelFiles(FileOptions(paths=(str(path),))).labels([first], "A")

    def test_written_and_read(self, pool: LabelledRows, tmp_path: Path) -> None:
        pool.labels.write(tmp_path / "a.npz")
        np.testing.assert_array_equal(Labels.read(tmp_path / "a.npz").values, pool.labels.values)

    def test_rows_of_other_structures_are_refused(self, pool: LabelledRows) -> None:
        with pytest.raises(InputError, match="not the rows"):
            list(LabelledRows(pool.shards[1:], pool.labels).blocks())


def test_a_set_that_grows_is_fitted_as_from_the_start(pool: LabelledRows, basis: Expansion) -> None:
    sets = [[1], [1, 4], [0, 1, 4, 5], [2, 3]]
    start = Factor(leastsquares.prior(basis.covariance(MODEL)), SIGMAS)
    grown = trainings(start, {"A": pool}, [{"A": own} for own in sets])
    for own, found in zip(sets, grown, strict=True):
        alone = trained(start, {"A": pool}, {"A": own}).coefficients()
        predicted = [np.concatenate([rows @ known for rows, _, _ in pool.of(range(6))])
                     for known in (found.coefficients(), alone)]  # fmt: skip
        np.testing.assert_allclose(predicted[0], predicted[1], atol=1e-6)


class TestErrors:
    def test_they_are_root_mean_squares_of_what_has_labels(self, pool: LabelledRows) -> None:
        count = np.load(pool.shards[0]).shape[1]
        rng = np.random.default_rng(6)
        known = rng.normal(size=(2, count))
        table = errors({"A": pool}, None, known, [{}, {"A": [0, 3, 4]}])
        rows = np.concatenate([np.load(path) for path in pool.shards])
        off = rows @ known[1] - pool.labels.values
        parts = np.split(off, pool.labels.offsets[1:-1])
        energies = [parts[k][0] / pool.labels.sizes[k] for k in (1, 2, 5)]
        forces = np.concatenate([parts[k][OFFSET:] for k in (1, 5)])
        (row,) = table.query("number == 1 and test_set == 'left_out' and group == ''").to_dict("records")
        assert row["structures"] == 3
        assert row["energy_rmse_mev"] == pytest.approx(1e3 * np.sqrt(np.mean(np.square(energies))))
        assert row["energy_q99_mev"] == pytest.approx(1e3 * np.quantile(np.abs(energies), 0.99))
        assert row["force_rmse_mev"] == pytest.approx(1e3 * np.sqrt(np.mean(forces**2)))
        (odd,) = table.query("number == 1 and test_set == 'left_out' and group == 'kind-1'").to_dict("records")
        assert odd["structures"] == 2
        assert odd["energy_rmse_mev"] == pytest.approx(
            1e3 * np.sqrt(np.mean(np.square([parts[k][0] / pool.labels.sizes[k] for k in (1, 5)])))
        )

    def test_a_core_is_no_candidate(self, pool: LabelledRows) -> None:
        known = np.zeros((1, np.load(pool.shards[0]).shape[1]))
        table = errors({"core": pool, "A": pool}, "core", known, [{"A": [1]}])
        sizes = table[table["group"] == ""].set_index("test_set")["structures"].to_dict()
        assert sizes == {"all": 12, "candidates": 6, "left_out": 5, "core": 6}


class Bonds(Calculator):
    """Half an electronvolt for each nearest neighbour that an atom lacks, and no forces."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        bonds = len(neighbor_list("i", atoms, 2.6))
        self.results = {"energy": -0.5 * bonds, "forces": np.zeros((len(atoms), 3))}


class TestSurfaces:
    @pytest.mark.parametrize(
        ("plane", "broken", "area"), [("100", 2, 1 / 2), ("110", 2, np.sqrt(2) / 2), ("111", 1, np.sqrt(3) / 4)]
    )
    def test_diamond_breaks_the_fewest_bonds(self, plane: str, broken: int, area: float) -> None:
        a = 5.43
        whole = crystal("Si", "diamond", a, plane, 4)
        assert whole.get_volume() / len(whole) == pytest.approx(a**3 / 8)
        assert abs(np.cross(whole.cell[0], whole.cell[1])[2]) == pytest.approx(area * a**2)
        found = surface_energy(whole, Bonds(), vacuum=8.0, max_force=0.01, steps=5)
        # Each broken bond is counted from both sides, and there are two surfaces: an electronvolt a bond in all.
        assert found == pytest.approx(0.5 * broken / (area * a**2) * 16.021766)

    def test_what_does_not_come_to_rest_has_none(self) -> None:
        from ase.calculators.emt import EMT

        whole = crystal("Cu", "fcc", 3.6, "100", 3)
        assert np.isnan(surface_energy(whole, EMT(), vacuum=8.0, max_force=1e-12, steps=1))
        assert 0.5 < surface_energy(whole, EMT(), vacuum=8.0, max_force=0.01, steps=50) < 2.0


class TestConfiguration:
    def study(self, **changes: object) -> config.Study:
        given = {
            "prototypes": {"d": {"element": "Si", "lattice": "diamond", "a": 5.4}},
            "pools": {"names": ["core", "A"], "size": 50, "sampler": "file", "file": {"path": "a.xyz"}},
            "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
            "labels": {"engine": "file"},
            "replay": {"core": "core", "budgets": [5, 50]},
        }
        for key, value in changes.items():
            given[key] = given.get(key, {}) | value
        return config.parse(given)

    def test_a_study_as_it_should_be(self) -> None:
        check(self.study())

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"replay": {"core": "B", "budgets": (5,)}}, r"replay\.core: there is no pool 'B'"),
            ({"replay": {"budgets": (5, 60)}}, r"replay\.budgets: 60 candidates are more than the 50"),
            ({"labels": {"engine": "eam"}}, r"labels\.engine: 'eam' computes labels"),
            ({"designs": {"OPT": {"pool": "core", "method": "maxmin"}}}, r"designs\.OPT\.pool: 'core' is replay\.core"),
            (
                {"replay": {"budgets": (5,), "surfaces": {"prototype": "x"}}},
                r"surfaces\.prototype: 'x' is not a prototype",
            ),
            ({"replay": {"budgets": (5,), "surfaces": {"prototype": "d"}}}, r"surfaces\.reference: it is empty"),
            (
                {"designs": {"OPT": {"pool": "A", "method": "d_optimal", "d_optimal": {"features": 9}}}},
                r"designs\.OPT\.d_optimal\.features: 9",
            ),
            (
                {"replay": {"budgets": {"core_hours": [1, 2]}}},
                r"costs\.source: the engine 'file' computes no labels, and so estimates no costs; set it to column or",
            ),
            (
                {"replay": {"budgets": {"core_hours": [1, 2]}}, "designs": {"OPT": {"pool": "A", "method": "maxent"}}},
                r"designs\.OPT\.method: 'maxent' chooses a design as a whole, so no budget of core-hours can end it",
            ),
            (
                {"costs": {"source": "measured", "column": "t", "path": "a.xyz"}},
                r"costs\.against: the engine 'file' computes no labels",
            ),
            (
                {"model": {"sparse": {"jitter": 0.02}}, "kernel": {"soap": {"scale": 0.1}}},
                r"model\.sparse\.jitter: 0\.02 is not below",
            ),
        ],
    )
    def test_mistakes_are_named(self, changes: dict[str, object], sentence: str) -> None:
        with pytest.raises(InputError, match=sentence):
            check(self.study(**changes))

    @pytest.mark.parametrize("budgets", [[5, 5], [0, 3], [9, 3], {"core_hours": [2.0, 1.0]}])
    def test_budgets_increase(self, budgets: list[int]) -> None:
        with pytest.raises(ValueError, match="increasing"):
            ReplayOptions(budgets=budgets)

    def test_labels_change_no_row(self) -> None:
        study = self.study()
        other = self.study(labels={"file": {"energy_key": "E"}})
        jobs = cli.jobs()
        assert jobs["replay-rows"].part(At(study)) == jobs["replay-rows"].part(At(other))
        assert jobs["replay-labels"].part(At(study)) != jobs["replay-labels"].part(At(other))


class TestEquivalents:
    def test_a_design_twice_as_good_by_a_power_law(self) -> None:
        """Errors of random designs fall as n^-1/2, so one that is twice as good is worth four times as many."""
        import pandas as pd

        rows = [
            {
                "design": design,
                "method": method,
                "budget": budget,
                "draw": draw,
                "test_set": "left_out",
                "group": "",
            }
            | dict.fromkeys(MEASURES, factor * budget**-0.5 * (1 + shift))
            for design, method, factor, shifts in (("RND", "random", 8.0, (-0.1, 0.1)), ("OPT", "maxmin", 4.0, (0.0,)))
            for draw, shift in enumerate(shifts)
            for budget in (10, 30, 100)
        ]
        table = equivalents(pd.DataFrame(rows), core=None).query("measure == 'energy_q99_mev'").set_index("budget")
        assert table["random_structures"][10] == pytest.approx(40)
        assert np.isnan(table["random_structures"][30]) and np.isnan(table["random_structures"][100])
        assert table["random_error"][30] == pytest.approx(8 * 30**-0.5)
        # A number that is missing is explained.
        assert table["note"][10] == ""
        assert table["note"][30] == "a smaller error than random designs of any budget up to 100"

    def test_every_missing_number_has_its_reason(self) -> None:
        import pandas as pd

        def note(error: float, blind: list[float]) -> str:
            rows = [("RND", "random", budget, value) for budget, value in zip((10, 20, 40), blind, strict=False)]
            rows.append(("OPT", "maxmin", 10, error))
            table = pd.DataFrame(rows, columns=["design", "method", "budget", "error"])
            table = table.assign(draw=0, test_set="left_out", group="", **dict.fromkeys(MEASURES, table["error"]))
            return equivalents(table.drop(columns="error"), core=None)["note"][0]

        assert note(3.0, [4.0, 2.0, 1.0]) == ""
        assert note(5.0, [4.0, 2.0, 1.0]) == "a larger error than random designs of the smallest budget, 10"
        assert note(0.5, [4.0, 2.0, 1.0]) == "a smaller error than random designs of any budget up to 40"
        assert note(np.nan, [4.0, 2.0, 1.0]) == "no error was measured"
        assert note(3.0, [4.0]) == "fewer than two budgets of random designs to compare with"

    def test_the_first_crossing_counts(self) -> None:
        assert crossing([1, 10, 100], [4.0, 1.0, 2.0], 2.0) == pytest.approx(10**0.5)
        assert np.isnan(crossing([1, 10], [4.0, 2.0], 5.0))


class TestFigures:
    def test_they_are_drawn_and_the_same_every_time(self) -> None:
        import pandas as pd

        methods = {"OPT": "maxmin", "RND": "random"}
        rows, planes = [], []
        for design, method in (*methods.items(), ("", "none"), ("", "all")):
            for budget in [5, 10] if design else [0 if method == "none" else 60]:
                for draw in range(3 if method == "random" else 1):
                    place = {"design": design, "method": method, "budget": budget, "draw": draw}
                    rows.append({**place, "test_set": "all", "group": "", "structures": 9,
                                 "energy_rmse_mev": 1.0 + budget + draw, "force_rmse_mev": 2.0})  # fmt: skip
                    planes += [{**place, "plane": plane, "energy": 2.0, "reference": 2.1, "error": -0.1}
                               for plane in ("100", "111")]  # fmt: skip
        for draw in (
            lambda: errors_figure(pd.DataFrame(rows), methods, core="core"),
            lambda: surfaces_figure(pd.DataFrame(planes), methods),
        ):
            assert svg_text(draw()) == svg_text(draw())


def test_the_tungsten_set_is_made_from_its_repository(tmp_path: Path) -> None:
    data = {"Stress": [[-10.0, 0, 0], [0, 0, 0], [0, 0, 0]], "Positions": [[0, 0, 0]], "AtomTypes": ["W"],
            "Lattice": [[3, 0, 0], [0, 3, 0], [0, 0, 3]], "NumAtoms": 1, "Forces": [[0, 0, 0]]}  # fmt: skip
    folder = tmp_path / "JSON" / "slice_sample"
    folder.mkdir(parents=True)
    for number, stress in ((10, data["Stress"]), (9, [[0.0] * 3] * 3)):
        text = json.dumps({"Dataset": {"Data": [data | {"Stress": stress, "Energy": -float(number)}]}})
        (folder / f"{number}_slice_sample.json").write_text(f"# A test JSON file for QM data\n{text}\n")
    script = ROOT / "config" / "studies" / "w_reduce.py"
    output = tmp_path / "data" / "w14.extxyz"
    subprocess.run([sys.executable, script, tmp_path / "JSON", output], check=True)
    first, second = read_frames(output)
    assert first.info == {"config_type": "slice_sample", "REF_energy": -9.0}
    # 10 bar are 1e6 Pa, and 27 cubic angstrom of that 27e-24 J.
    assert second.info["REF_virial"][0] == pytest.approx(-27e-24 / 1.602176634e-19)
