"""The labelling stage: what is computed, what is kept, what fails, and what the files look like."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign.engines import Label, LabelOptions, make
from gapdesign.errors import InputError
from gapdesign.files import read_frames, write_frames
from gapdesign.labels import FAILURE_COLUMNS, ISOLATED_BOX, collect, isolated_atoms, label_frames, owned
from gapdesign.store import LabelStore, label_key, structure_key


class FakeEngine:
    """Gives energies that tell structures apart, and counts."""

    name = "fake"
    version = "1"
    settings: dict = {}  # noqa: RUF012

    def __init__(self):
        self.seen = []

    def check(self, elements=()):
        pass

    def label(self, atoms, folder, *, attempt=0, isolated=False):
        self.seen.append(atoms.copy())
        return Label(-atoms.get_volume(), 0.1 * atoms.positions, np.arange(9.0).reshape(3, 3) / 7)

    def core_hours(self, atoms):
        return 1.0


class NanEngine(FakeEngine):
    """Loses the forces of every structure of two atoms."""

    def label(self, atoms, folder, *, attempt=0, isolated=False):
        label = super().label(atoms, folder)
        return Label(label.energy, label.forces * (np.nan if len(atoms) == 2 else 1), label.virial)


class RaisingEngine(FakeEngine):
    """Raises what it is given."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def label(self, atoms, folder, *, attempt=0, isolated=False):
        raise self.error


def design_frames(count: int, pool: str = "A", offset: int = 0) -> list[Atoms]:
    """Frames as designs have them: hcp and fcc by turns, all different."""
    frames = []
    for rank in range(count):
        lattice = ("hcp", "fcc")[rank % 2]
        atoms = bulk("Zr", lattice, a=(3.2, 4.5)[rank % 2] + 0.01 * (rank + offset))
        deformation = np.eye(3).ravel() * (1 + 0.01 * rank)
        atoms.info.update(pool=pool, candidate=100 + rank, rank=rank, distance=1 / (rank + 3), prototype=lattice)
        atoms.info.update(deformation=deformation)
        frames.append(atoms)
    return frames


@pytest.fixture
def store(tmp_path):
    return LabelStore(tmp_path / "store")


def run(frames, engine, store, **options):
    return label_frames(frames, engine, store, **{"design": "OPT1", "min_fraction": 0.6, **options})


def test_frames_get_their_labels_and_keep_their_info(store):
    frames = design_frames(5)
    labelled, failures = run(frames, FakeEngine(), store)
    assert failures == []
    for before, after in zip(frames, labelled, strict=True):
        assert after.calc is None and set(after.arrays) == {"numbers", "positions", "REF_forces"}
        assert after == before
        assert set(after.info) == {*before.info, "REF_energy", "REF_virial"}
        assert after.info["candidate"] == before.info["candidate"]
        assert after.info["REF_energy"] == -before.get_volume()
        np.testing.assert_array_equal(after.info["REF_virial"], np.arange(9) / 7)
        np.testing.assert_array_equal(after.arrays["REF_forces"], 0.1 * before.positions)
        assert "REF_energy" not in before.info


def test_a_written_file_has_what_gap_fit_reads_and_nothing_twice(store, tmp_path):
    engine = make("eam", LabelOptions())
    frames = design_frames(3)
    for frame in frames:
        frame.rattle(0.05, seed=frame.info["rank"])
    labelled, _ = run(frames, engine, store)
    path, again = tmp_path / "OPT1.extxyz", tmp_path / "again.extxyz"
    write_frames(path, collect(frames, labelled, design="OPT1"))
    for line in path.read_text().splitlines():
        if line.startswith("Lattice"):
            assert re.search(r' REF_virial="(-?[0-9.]+(e-?\d+)? ){8}-?[0-9.]+(e-?\d+)?" ', line)
            assert re.search(r" REF_energy=-[0-9.]+ ", line) and " config_type=OPT1 " in line
            assert "Properties=species:S:1:pos:R:3:REF_forces:R:3 " in line
            assert not re.search(r"\b(energy|stress|virial|free_energy)=", line)
    reread = read_frames(path)
    for before, after in zip(labelled, reread, strict=True):
        assert after.calc is None
        assert after.info["REF_energy"] == before.info["REF_energy"]
        np.testing.assert_array_equal(after.info["REF_virial"], before.info["REF_virial"])
        np.testing.assert_allclose(after.arrays["REF_forces"], before.arrays["REF_forces"], atol=1e-8)
    write_frames(again, reread)
    assert again.read_bytes() == path.read_bytes()


def test_a_label_is_computed_once(store):
    frames, engine = design_frames(4), FakeEngine()
    first, _ = run([*frames, frames[0]], engine, store)
    second, _ = run(frames, engine, store, design="RND1")
    assert len(engine.seen) == 4
    for one, other in zip(first, second, strict=False):
        assert one.info["REF_energy"] == other.info["REF_energy"]
        np.testing.assert_array_equal(one.arrays["REF_forces"], other.arrays["REF_forces"])


def test_a_damaged_entry_is_computed_again_and_repaired(store):
    frames, engine = design_frames(3), FakeEngine()
    expected, _ = run(frames, engine, store)
    path = store.path(label_key(frames[1], engine))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    labelled, failures = run(frames, engine, store)
    assert failures == [] and len(engine.seen) == 4
    assert labelled[1].info["REF_energy"] == expected[1].info["REF_energy"]
    assert path.read_bytes() == whole


def test_the_engine_sees_the_structure_and_nothing_that_the_key_leaves_out(store):
    frames, engine = design_frames(1), FakeEngine()
    frames[0].set_initial_magnetic_moments([1, -1])
    run(frames, engine, store)
    assert engine.seen[0].info == {} and set(engine.seen[0].arrays) == {"numbers", "positions"}


def test_a_label_that_is_not_finite_is_a_row_and_is_not_kept(store):
    frames, engine = design_frames(4), NanEngine()
    labelled, failures = run(frames, engine, store)
    assert [atoms.info["rank"] for atoms in labelled] == [1, 3]
    assert all(tuple(row) == FAILURE_COLUMNS for row in failures)
    assert failures[1] == {
        "design": "OPT1",
        "rank": 2,
        "pool": "A",
        "candidate": 102,
        "engine": "fake",
        "reason": "The engine gave a value of forces that is not finite.",
    }
    assert store.get(label_key(frames[0], engine)) is None


def test_a_structure_that_is_too_dense_never_reaches_the_engine(store):
    frames, engine = design_frames(3), FakeEngine()
    frames[1].set_cell(0.5 * frames[1].cell.array, scale_atoms=True)
    frames[2].positions[0, 0] = np.nan
    labelled, failures = run(frames, engine, store)
    assert [atoms.info["rank"] for atoms in labelled] == [0] and len(engine.seen) == 1
    assert "too small" in failures[0]["reason"] and "not finite" in failures[1]["reason"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("the density\nis too high"), "the density is too high"),
        (InputError("no parameters for Ti."), "no parameters for Ti."),
        (RuntimeError("SCF did not converge"), "RuntimeError: SCF did not converge"),
        (ZeroDivisionError(), "ZeroDivisionError:"),
        (ValueError(), "ValueError:"),
    ],
)
def test_whatever_an_engine_raises_is_a_row(error, reason, store):
    labelled, failures = run(design_frames(2), RaisingEngine(error), store)
    assert labelled == [] and [row["reason"].strip() for row in failures] == [reason, reason]


def test_an_interrupt_is_not_a_row(store):
    with pytest.raises(KeyboardInterrupt):
        run(design_frames(2), RaisingEngine(KeyboardInterrupt()), store)


def test_a_store_that_cannot_be_written_is_not_a_row(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(OSError):
        run(design_frames(2), FakeEngine(), LabelStore(tmp_path / "store"))


def test_an_engine_that_cannot_run_is_not_a_row_but_kept_labels_need_none(store):
    class AbsentEngine(FakeEngine):
        def check(self, elements=()):
            raise InputError("not installed")

    frames = design_frames(2)
    run(frames[:1], FakeEngine(), store)
    assert len(run(frames[:1], AbsentEngine(), store)[0]) == 1
    with pytest.raises(InputError, match="not installed"):
        run(frames, AbsentEngine(), store)


def test_progress_is_told_after_every_frame(store):
    told = []
    run(design_frames(3), NanEngine(), store, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_isolated_atoms_have_an_energy_and_nothing_to_fit_besides(store, tmp_path):
    engine = make("eam", LabelOptions(eam={"potential": "CuZr_mm.eam.fs"}))
    path = tmp_path / "isolated.extxyz"
    write_frames(path, isolated_atoms(["Cu", "Zr"], engine, store))
    frames = read_frames(path)
    assert [atoms.get_chemical_formula() for atoms in frames] == ["Cu", "Zr"]
    for atoms in frames:
        assert atoms.info == {"REF_energy": pytest.approx(0, abs=1e-12), "config_type": "isolated_atom"}
        assert atoms.cell.lengths().tolist() == [ISOLATED_BOX] * 3 and atoms.pbc.all()
        assert atoms.positions.tolist() == [[10.0] * 3] and set(atoms.arrays) == {"numbers", "positions"}


def test_an_isolated_atom_without_an_energy_stops_the_study(store):
    with pytest.raises(InputError, match=r"no energy for an isolated atom of Zr.*: RuntimeError: no luck"):
        isolated_atoms(["Zr"], RaisingEngine(RuntimeError("no luck")), store)


def overlapping_designs(seed: int) -> dict[str, list[Atoms]]:
    """Four designs that share structures and hold some twice."""
    rng = np.random.default_rng(seed)
    shelf = design_frames(15)
    return {
        name: [shelf[index].copy() for index in rng.integers(0, 15, size)]
        for name, size in (("OPT1", 9), ("OPT2", 0), ("RND1", 12), ("RND2", 7))
    }


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_every_structure_is_owned_once_and_by_the_first_that_holds_it(seed, chunk):
    designs = overlapping_designs(seed)
    found = [
        (name, rank)
        for name, frames in designs.items()
        for first in range(0, len(frames), chunk)
        for rank in owned(designs, name, first, first + chunk)
    ]
    expected, held = [], []
    for name, frames in designs.items():
        for rank, atoms in enumerate(frames):
            if atoms not in held:
                expected.append((name, rank))
                held.append(atoms)
    assert found == expected and 0 < len(expected) < 28


def test_a_design_is_put_together_from_the_batches_of_all(store, tmp_path):
    designs = overlapping_designs(0)
    for name, frames in designs.items():
        for rank, atoms in enumerate(frames):
            atoms.info.update(rank=rank, pool=name)
        write_frames(tmp_path / f"{name}.extxyz", frames)
    designs = {name: read_frames(tmp_path / f"{name}.extxyz") for name in designs}
    batches, engine = [], FakeEngine()
    for name, frames in designs.items():
        for first in range(0, len(frames), 4):
            ranks = owned(designs, name, first, first + 4)
            labelled, _ = run([frames[rank] for rank in ranks], engine, store, design=name)
            write_frames(tmp_path / "batch.extxyz", labelled)
            batches = read_frames(tmp_path / "batch.extxyz") + batches
    for name, frames in designs.items():
        collected = collect(frames, batches, design=name)
        assert [atoms.info["rank"] for atoms in collected] == list(range(len(frames)))
        for before, after in zip(frames, collected, strict=True):
            assert structure_key(before) == structure_key(after)
            assert (after.info["pool"], after.info["config_type"]) == (name, name)
            assert after.info["REF_energy"] == -before.get_volume()
            assert after.info["REF_virial"].shape == (9,)
    assert len(engine.seen) == len({structure_key(atoms) for frames in designs.values() for atoms in frames})


def test_a_rank_without_a_label_is_left_out(store):
    frames = design_frames(4)
    labelled, _ = run(frames, NanEngine(), store)
    assert [atoms.info["rank"] for atoms in collect(frames, labelled[::-1], design="OPT1")] == [1, 3]
