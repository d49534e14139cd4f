"""The labelling stage: what is computed, what is kept, what fails, and what the files look like."""

import json
import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign.engines import Label, make
from gapdesign.engines.base import NotConvergedError
from gapdesign.engines.options import LabelOptions
from gapdesign.errors import InputError, ProgramError
from gapdesign.files import read_frames, write_frames
from gapdesign.labels.failures import COLUMNS, Allowance, structures
from gapdesign.labels.identity import structure_key
from gapdesign.labels.labeller import Labeller
from gapdesign.labels.labelling import complete, isolated_atoms, label_frames, owned
from gapdesign.labels.members import read_members
from gapdesign.labels.runs import Runs
from gapdesign.labels.store import LabelStore, label_key


class FakeEngine:
    """Gives energies that tell structures apart, and counts."""

    name = "fake"
    version = "1"
    settings: dict = {}  # noqa: RUF012
    attempts = ("as configured",)
    isolated_box = 18.0
    computes, is_instant = True, False

    def __init__(self):
        self.seen = []

    def check(self, elements=()):
        pass

    def label(self, atoms, folder, *, attempt=0, isolated=False):
        self.seen.append(atoms.copy())
        return Label(-atoms.get_volume(), 0.1 * atoms.positions, np.arange(9.0).reshape(3, 3) / 7)

    def core_hours(self, atoms):
        return 1.0

    def afresh(self):
        return self


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


def run(frames, engine, store, *, design="OPT1", share=1.0, progress=None, **options):
    labeller = Labeller(engine=engine, store=store, **{"min_fraction": 0.6, **options})
    return label_frames(frames, labeller, design=design, allowance=Allowance(frames, share), progress=progress)


def fill(frames, reserve, engine, store, labelled=(), failed=(), *, design="OPT1", share=1.0, **options):
    labeller = Labeller(engine=engine, store=store, min_fraction=0.6, **options)
    return complete(
        frames,
        reserve,
        labeller,
        design=design,
        labelled=labelled,
        failed=failed,
        allowance=Allowance(frames, share),
    )


def collected(frames, labelled, design="OPT1"):
    """The design with labels that are all there."""
    nothing_left = RaisingEngine(AssertionError("nothing is left to compute"))
    return fill(frames, [], nothing_left, None, labelled, design=design)[0]


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
    write_frames(path, collected(frames, labelled))
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


def test_the_store_knows_what_a_label_cost_where_that_takes_time(store):
    """An entry without it, as earlier versions wrote them, is as good."""
    (atoms,), slow = design_frames(1), FakeEngine()
    Labeller(engine=slow, store=store, min_fraction=0.6, cores=4).label(atoms, "OPT/0")
    key = label_key(atoms, slow)
    assert 0 < store.core_hours(key) < 0.1 and store.verify() == {}
    text = store.path(key).read_text()
    store.path(key).write_text(text.replace('"core_hours": ', '"core_hours": 1'))
    assert store.core_hours(key) is None and store.get(key) is None
    store.put(key, atoms, slow.label(atoms, None), slow)
    assert store.core_hours(key) is None and store.get(key) is not None


def test_an_instant_label_costs_nothing(store):
    engine, (atoms,) = make("eam", LabelOptions()), design_frames(1)
    Labeller(engine=engine, store=store, min_fraction=0.6).label(atoms, "OPT/0")
    assert store.core_hours(label_key(atoms, engine)) is None and store.get(label_key(atoms, engine)) is not None


def test_a_damaged_entry_is_computed_again_and_repaired(store):
    frames, engine = design_frames(3), FakeEngine()
    expected, _ = run(frames, engine, store)
    path = store.path(label_key(frames[1], engine))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    labelled, failures = run(frames, engine, store)
    assert failures == [] and len(engine.seen) == 4
    assert labelled[1].info["REF_energy"] == expected[1].info["REF_energy"]
    apart = {"core_hours", "checksum"}  # what the clock says differs
    entries = [
        {name: value for name, value in json.loads(text).items() if name not in apart}
        for text in (path.read_bytes(), whole)
    ]
    assert entries[0] == entries[1] and store.verify() == {}


def test_the_engine_sees_the_structure_and_nothing_that_the_key_leaves_out(store):
    frames, engine = design_frames(1), FakeEngine()
    frames[0].set_initial_magnetic_moments([1, -1])
    run(frames, engine, store)
    assert engine.seen[0].info == {} and set(engine.seen[0].arrays) == {"numbers", "positions"}


def test_a_label_that_is_not_finite_is_a_row_and_is_not_kept(store):
    frames, engine = design_frames(4), NanEngine()
    labelled, failures = run(frames, engine, store)
    assert [atoms.info["rank"] for atoms in labelled] == [1, 3]
    assert all(tuple(row) == COLUMNS for row in failures)
    assert failures[1] == {
        "design": "OPT1",
        "rank": 2,
        "pool": "A",
        "candidate": 102,
        "engine": "fake",
        "reason": "The engine returned a value of forces that is not finite.",
        "attempts": 1,
        "directory": "",
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
        (RuntimeError("SCF did not converge"), "RuntimeError: SCF did not converge"),
        (ZeroDivisionError(), "ZeroDivisionError:"),
        (ValueError(), "ValueError:"),
    ],
)
def test_what_an_engine_raises_of_a_structure_is_a_row(error, reason, store):
    labelled, failures = run(design_frames(2), RaisingEngine(error), store)
    assert labelled == [] and [row["reason"].strip() for row in failures] == [reason, reason]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), InputError("no POTCAR of Zr."), FileNotFoundError("vasp"), OSError(28, "disk full")]
)
def test_what_says_nothing_of_the_structure_is_not_a_row(error, store):
    with pytest.raises(type(error)):
        run(design_frames(2), RaisingEngine(error), store)


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


def labeller(engine, store) -> Labeller:
    return Labeller(engine=engine, store=store, min_fraction=0.6)


def test_isolated_atoms_have_an_energy_and_nothing_to_fit_besides(store, tmp_path):
    engine = make("eam", LabelOptions(eam={"potential": "CuZr_mm.eam.fs"}))
    path = tmp_path / "isolated.extxyz"
    write_frames(path, isolated_atoms(["Cu", "Zr"], labeller(engine, store)))
    frames = read_frames(path)
    assert [atoms.get_chemical_formula() for atoms in frames] == ["Cu", "Zr"]
    for atoms in frames:
        assert atoms.info == {"REF_energy": pytest.approx(0, abs=1e-12), "config_type": "isolated_atom"}
        assert atoms.cell.lengths().tolist() == [20.0] * 3 and atoms.pbc.all()
        assert atoms.positions.tolist() == [[10.0] * 3] and set(atoms.arrays) == {"numbers", "positions"}


def test_an_isolated_atom_without_an_energy_stops_the_study(store):
    with pytest.raises(InputError, match=r"no energy for an isolated atom of Zr.*: RuntimeError: no luck"):
        isolated_atoms(["Zr"], labeller(RaisingEngine(RuntimeError("no luck")), store))


def test_a_crystal_of_one_atom_in_the_same_cell_is_not_the_isolated_atom(store):
    """The engine is told which it is, and the store keeps both."""

    class SpinEngine(FakeEngine):
        def label(self, atoms, folder, *, attempt=0, isolated=False):
            self.seen.append(isolated)
            return Label(-2.0 if isolated else -9.0, np.zeros((1, 3)), np.zeros((3, 3)))

    engine = SpinEngine()
    (atom,) = isolated_atoms(["Zr"], labeller(engine, store))
    assert atom.cell.lengths().tolist() == [18.0] * 3
    crystal = Atoms("Zr", positions=atom.positions, cell=atom.cell, pbc=True)
    crystal.info.update(pool="A", candidate=1, rank=0)
    for _ in range(2):
        ((frame,), _) = run([crystal], engine, store)
        (again,) = isolated_atoms(["Zr"], labeller(engine, store))
        assert (frame.info["REF_energy"], again.info["REF_energy"]) == (-9.0, -2.0)
        assert "config_type" not in frame.info
    assert engine.seen == [True, False]


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
        whole = collected(frames, batches, name)
        assert [atoms.info["rank"] for atoms in whole] == list(range(len(frames)))
        for before, after in zip(frames, whole, strict=True):
            assert structure_key(before) == structure_key(after)
            assert (after.info["pool"], after.info["config_type"]) == (name, name)
            assert after.info["REF_energy"] == -before.get_volume()
            assert after.info["REF_virial"].shape == (9,)
    assert len(engine.seen) == len({structure_key(atoms) for frames in designs.values() for atoms in frames})


def volume(atoms: Atoms) -> int:
    return round(1e6 * atoms.get_volume())


class ByRule(FakeEngine):
    """Does not converge for structures of given volume before a given attempt; leaves a log and wave functions."""

    attempts = ("as configured", "more steps", "another algorithm")

    def __init__(self, never=(), needed=None):
        super().__init__()
        self.never, self.needed = set(never), needed or {}

    def label(self, atoms, folder, *, attempt=0, isolated=False):
        label = super().label(atoms, folder)
        (folder / "output").write_text(f"attempt {attempt}")
        (folder / "WAVECAR").write_bytes(b"waves")
        if volume(atoms) in self.never or attempt < self.needed.get(volume(atoms), 0):
            raise NotConvergedError(f"no convergence in {100 * (attempt + 1)} steps")
        return label


def test_what_does_not_converge_is_tried_again_and_the_store_tells_how(store, tmp_path):
    frames = design_frames(4)
    engine = ByRule(needed={volume(frames[1]): 1, volume(frames[2]): 2})
    labelled, failures = run(frames, engine, store, runs=Runs(tmp_path / "runs"))
    assert failures == [] and len(labelled) == 4 and len(engine.seen) == 1 + 2 + 3 + 1
    entries = [json.loads(store.path(label_key(atoms, engine)).read_text()) for atoms in frames]
    assert [entry["attempts"] for entry in entries] == [
        ["as configured: a label"],
        ["as configured: no convergence in 100 steps", "more steps: a label"],
        [
            "as configured: no convergence in 100 steps",
            "more steps: no convergence in 200 steps",
            "another algorithm: a label",
        ],
        ["as configured: a label"],
    ]
    # Every failed attempt is kept, those that led to a label as well.
    kept = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert kept == ["runs/OPT1/1-0/output", "runs/OPT1/2-0/output", "runs/OPT1/2-1/output"]


@pytest.mark.parametrize(("keep", "kept"), [("nothing", 0), ("failed", 3), ("all", 6)])
def test_runs_are_kept_as_asked_for_without_what_is_large(keep, kept, store, tmp_path):
    frames = design_frames(4)
    engine, scratch = ByRule(never={volume(frames[2])}), tmp_path / "scratch"
    runs = Runs(tmp_path / "runs", keep, scratch)
    labelled, (failure,) = run(frames, engine, store, runs=runs)
    assert [atoms.info["rank"] for atoms in labelled] == [0, 1, 3]
    assert (failure["rank"], failure["attempts"]) == (2, 3)
    assert failure["reason"] == (
        "as configured: no convergence in 100 steps; more steps: no convergence in 200 steps;"
        " another algorithm: no convergence in 300 steps"
    )
    assert failure["directory"] == ("" if keep == "nothing" else f"{tmp_path}/runs/OPT1/2-2")
    found = [path.name for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert found == ["output"] * kept
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        (
            {"rank": "../../../../victim"},
            r"frame 1: rank is '\.\./\.\./\.\./\.\./victim', not a whole number from 0; choose",
        ),
        ({"rank": -1}, r"frame 1: rank is -1, not a whole number"),
        ({"rank": True}, r"frame 1: rank is .*True.*, not a whole number"),
        ({"rank": 1.5}, r"frame 1: rank is 1\.5, not a whole number"),
        ({"rank": "/tmp"}, r"frame 1: rank is '/tmp', not a whole number"),
        ({"rank": 10**12}, r"frame 1: rank is 1000000000000, not a whole number"),
        ({"rank": None}, r"frame 1: it has no rank; give the file of a design"),
        ({"candidate": "../x"}, r"frame 1: candidate is '\.\./x', not a whole number"),
        ({"pool": "../A"}, r"frame 1: pool is '\.\./A', which is no name"),
    ],
    ids=str,
)
def test_what_a_design_file_says_is_checked_before_it_becomes_a_path(info, sentence, tmp_path):
    frames = design_frames(3)
    frames[1].info |= info
    frames[1].info = {key: value for key, value in frames[1].info.items() if value is not None}
    write_frames(tmp_path / "OPT1.extxyz", frames)
    with pytest.raises(InputError, match=sentence):
        read_members(tmp_path / "OPT1.extxyz")
    assert [atoms.info["rank"] for atoms in read_members(_written(tmp_path / "RND1.extxyz"))] == [0, 1, 2]
    (tmp_path / "RND1.extxyz").rename(tmp_path / "-x y.extxyz")
    with pytest.raises(InputError, match=r"the name of a design is '-x y', which is no name"):
        read_members(tmp_path / "-x y.extxyz")


def _written(path):
    write_frames(path, design_frames(3))
    return path


@pytest.mark.parametrize("name", ["../victim", "OPT1/../../victim", "/victim", ""])
def test_no_run_is_kept_or_forgotten_outside_the_folder_of_runs(name, tmp_path):
    runs, victim = Runs(tmp_path / "runs", "all"), tmp_path / "victim-0"
    for folder in (victim, tmp_path / "done"):
        folder.mkdir()
        (folder / "file").touch()
    with pytest.raises(ValueError, match="is no place within"):
        runs.forget(name)
    with pytest.raises(ValueError, match="is no place within"):
        runs.stow(tmp_path / "done", name, failed=True)
    assert [path.name for path in victim.iterdir()] == ["file"]


def test_attempts_of_an_earlier_run_are_not_mixed_with_new_ones(store, tmp_path):
    frames, runs = design_frames(1), Runs(tmp_path / "runs")
    run(frames, ByRule(never={volume(frames[0])}), store, runs=runs)
    assert len(list((tmp_path / "runs/OPT1").iterdir())) == 3
    run(frames, ByRule(needed={volume(frames[0]): 1}), store, runs=runs)
    assert [path.name for path in (tmp_path / "runs/OPT1").iterdir()] == ["0-0"]


def test_whatever_else_goes_wrong_is_not_tried_again(store):
    class Crash(FakeEngine):
        attempts = ("as configured", "more steps")

        def label(self, atoms, folder, *, attempt=0, isolated=False):
            self.seen.append(attempt)
            raise RuntimeError("an error of the program")

    engine = Crash()
    _, (failure,) = run(design_frames(1), engine, store)
    assert engine.seen == [0] and failure["attempts"] == 1


def test_what_costs_too_much_or_is_too_flat_is_never_computed(store):
    class Costly(FakeEngine):
        def core_hours(self, atoms):
            return 10.0 * len(atoms)

    frames, engine = design_frames(4), Costly()
    labelled, failures = run(frames, engine, store, max_core_hours=15)
    assert [atoms.info["rank"] for atoms in labelled] == [1, 3] and len(engine.seen) == 2
    assert failures[0]["reason"] == (
        "The label would cost about 20 core hours; the most allowed is 15 (labels.max_core_hours)."
    )
    assert failures[0]["attempts"] == 0
    # What is there costs nothing.
    assert len(run(frames[1::2], engine, store, max_core_hours=1)[0]) == 2
    assert len(engine.seen) == 2


def fail_and_fill(frames, reserve, engine, store, *, design="OPT1", before=()):
    """Label a design in batches of three and fill it up, as the workflow does; `before`: frames, failures of others."""
    batches, rows = [atoms for frames_, _ in before for atoms in frames_], []
    for first in range(0, len(frames), 3):
        labelled, failures = run(frames[first : first + 3], engine, store, design=design)
        batches += labelled
        rows += failures
    failed = list(zip(structures(rows, {design: frames}), rows, strict=True))
    return fill(frames, reserve, engine, store, batches, failed, design=design)


def test_the_next_ranks_take_the_place_of_what_failed(store):
    ranks = design_frames(14)
    never = {volume(ranks[k]) for k in (1, 4, 11)}
    engine = ByRule(never=never)
    completed, failures = fail_and_fill(ranks[:10], ranks[10:], engine, store)
    assert [atoms.info["rank"] for atoms in completed] == [0, 2, 3, 5, 6, 7, 8, 9, 10, 12]
    assert [row["rank"] for row in failures] == [1, 4, 11]
    assert {atoms.info["config_type"] for atoms in completed} == {"OPT1"}
    # Each structure was asked for as often as it takes, and rank 13 not at all.
    assert len(engine.seen) == 10 + 3 * 3
    again, same = fail_and_fill(ranks[:10], ranks[10:], RaisingEngine(NotConvergedError("no")), store)
    assert again == completed
    assert [atoms.info["REF_energy"] for atoms in again] == [atoms.info["REF_energy"] for atoms in completed]
    assert [row["rank"] for row in same] == [1, 4, 11]


def test_a_reserve_that_is_used_up_leaves_the_design_short(store):
    ranks = design_frames(8)
    engine = ByRule(never={volume(ranks[k]) for k in (0, 2, 7)})
    completed, failures = fail_and_fill(ranks[:6], ranks[6:], engine, store)
    assert [atoms.info["rank"] for atoms in completed] == [1, 3, 4, 5, 6]
    assert [row["rank"] for row in failures] == [0, 2, 7]


def test_what_failed_for_one_design_fails_for_all_and_is_not_tried_again(store):
    ranks = design_frames(6)
    engine = ByRule(never={volume(ranks[2])})
    _, rows = run(ranks[:4], engine, store, design="OPT1")
    tried = len(engine.seen)
    other = [ranks[5], ranks[2], ranks[3]]
    for rank, atoms in enumerate(other):
        atoms.info.update(rank=rank)
    labelled, _ = run([other[0]], engine, store, design="RND1")
    known = [(ranks[2], rows[0])]
    completed, failures = fill(other, [ranks[4]], engine, store, labelled, known, design="RND1")
    assert [atoms.info["rank"] for atoms in completed] == [0, 2, 4]
    assert len(engine.seen) == tried + 2
    (failure,) = failures
    assert (failure["design"], failure["rank"], failure["reason"]) == ("RND1", 1, rows[0]["reason"])


class FailsRanks(FakeEngine):
    """Fails for some structures."""

    def __init__(self, bad):
        super().__init__()
        self.bad = {structure_key(atoms) for atoms in bad}

    def label(self, atoms, folder, *, attempt=0, isolated=False):
        if structure_key(atoms) in self.bad:
            raise ValueError("It failed.")
        return super().label(atoms, folder, attempt=attempt, isolated=isolated)


@pytest.mark.parametrize(
    ("bad", "taken"),
    [
        ([1], [4]),  # its 3 core-hours and the half that was left pay for the first rank of the reserve
        ([0], [5]),  # 1 and a half pay for the second only
        ([0, 2], [5, 6]),
        ([0, 1], [4, 7]),
        ([0, 5], [6]),  # a rank of the reserve that fails costs nothing
        ([1, 4], [5]),
    ],
)
def test_a_replacement_costs_no_more_than_the_budget_has_left(store, bad, taken):
    frames = design_frames(8)
    for atoms, cost in zip(frames, [1.0, 3.0, 1.0, 2.0, 3.5, 1.2, 1.3, 1.0], strict=True):
        atoms.info["core_hours"] = cost
    for rank, atoms in enumerate(frames[:4]):
        atoms.info["core_hours_left"] = 7.5 - sum(frame.info["core_hours"] for frame in frames[: rank + 1])
    labelled, _ = fill(frames[:4], frames[4:], FailsRanks([frames[rank] for rank in bad]), store)
    ranks = [atoms.info["rank"] for atoms in labelled]
    assert ranks == [*(rank for rank in range(4) if rank not in bad), *taken]
    assert sum(atoms.info["core_hours"] for atoms in labelled) <= 7.5 + 1e-9


def test_without_core_hours_the_next_rank_is_taken_whatever_it_costs(store):
    frames = design_frames(6)
    labelled, _ = fill(frames[:4], frames[4:], FailsRanks(frames[:1]), store)
    assert [atoms.info["rank"] for atoms in labelled] == [1, 2, 3, 4]


def test_what_an_earlier_design_holds_in_reserve_is_left_to_the_last_job():
    ranks = design_frames(9)
    designs = {"OPT1": ranks[:4], "RND1": [ranks[6], ranks[1], ranks[5]]}
    assert owned(designs, "OPT1", 0, 4) == [0, 1, 2, 3]
    assert owned(designs, "RND1", 0, 3) == [0, 2]
    assert owned(designs, "RND1", 0, 3, reserves=[ranks[4:6]]) == [0]


def test_a_study_in_which_too_much_fails_stops_and_says_what_is_common(store):
    ranks = design_frames(10)
    engine = ByRule(never={volume(atoms) for atoms in ranks[0::2]})
    with pytest.raises(ProgramError) as caught:
        run(ranks, engine, store, share=0.2)
    assert len(engine.seen) == 3 * 3 + 2  # three failures, and what was between them
    text = str(caught.value)
    assert text.startswith(
        "labels.max_failed: 3 structures of OPT1, which has 10, got no label, more than the allowed share of 0.2: 3"
    )

    assert "no convergence in 100 steps" in text
    assert "they are 3 hcp (the design has 5)" in text
    assert "their strain is 0 to 0.0693 (the design's 0 to 0.156)" in text
    assert "rank 0, candidate 100 of pool A, rank 2, candidate 102 of pool A" in text


@pytest.mark.parametrize(("share", "stops_after"), [(0.05, 3), (0.2, 5), (0.5, 10), (0.001, 2), (0, 1), (1, None)])
def test_a_batch_in_which_all_fails_stops_long_before_the_design_has_failed(share, stops_after, store):
    """With all of n failing, chance is share^n: below one in a thousand for 0.05^3, 0.2^5 and 0.5^10, first."""
    ranks = design_frames(100)
    engine = ByRule(never={volume(atoms) for atoms in ranks})
    if stops_after is None:
        assert len(run(ranks[:25], engine, store, share=share)[1]) == 25
        return
    labeller = Labeller(engine=engine, store=store, min_fraction=0.6)
    with pytest.raises(ProgramError, match=f"labels.max_failed: {stops_after} structures of OPT1, "):
        label_frames(ranks[:25], labeller, design="OPT1", allowance=Allowance(ranks, share))
    assert len(engine.seen) == 3 * stops_after


def test_a_batch_goes_on_with_as_many_failures_as_its_design_may_have(store):
    ranks = design_frames(100)
    engine = ByRule(never={volume(atoms) for atoms in ranks[:25:4]})  # 7 of 25, a share of 0.28
    labeller = Labeller(engine=engine, store=store, min_fraction=0.6)
    labelled, failures = label_frames(ranks[:25], labeller, design="OPT1", allowance=Allowance(ranks, 0.2))
    assert (len(labelled), len(failures)) == (18, 7)


def test_reasons_that_differ_in_numbers_are_the_same():
    frames = design_frames(3)
    rows = [
        {"design": "D", "rank": rank, "pool": "A", "candidate": rank, "reason": reason}
        for rank, reason in enumerate(["Atoms are 1.234 apart.", "no convergence", "Atoms are 1.3e-1 apart."])
    ]
    allowance = Allowance(frames, 0.0)
    with pytest.raises(ProgramError, match=r"1 of 1 \(100%\) because “Atoms are 1.234 apart”"):
        allowance.spend(rows[0], frames[0])
    generous = Allowance(frames, 1.0)
    for row, atoms in zip(rows, frames, strict=True):
        generous.spend(row, atoms)
    # One always may, and so no more of a design of three.
    fussy = Allowance(frames, 0.1)
    fussy.spend(rows[1], frames[1])
    with pytest.raises(ProgramError, match=r"got no label, more than the allowed share of 0\.1: "):
        fussy.spend(rows[0], frames[0])
    most = Allowance(frames, 0.99)
    most.spend(rows[1], frames[1])
    most.spend(rows[0], frames[0])
    with pytest.raises(ProgramError, match=r"2 of 3 \(67%\) because “Atoms are 1.234 apart”"):
        most.spend(rows[2], frames[2])
