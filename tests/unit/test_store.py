"""The store: what makes a key, exact round trips, damage, and writers at the same time."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign.engines import Label
from gapdesign.errors import InputError
from gapdesign.files import read_frames
from gapdesign.labels import store as module
from gapdesign.labels.identity import structure_key
from gapdesign.labels.store import LabelStore, label_key

ENGINE = SimpleNamespace(name="fake", settings={"cutoff": 300}, version="1")


@pytest.fixture
def atoms():
    return bulk("CuZr", "cesiumchloride", a=3.26)


@pytest.fixture
def label():
    """Numbers with all their digits, the smallest, the largest and a negative zero."""
    rng = np.random.default_rng(0)
    forces = rng.standard_normal((2, 3)) * np.array([[5e-324, 1.0, 1.7e308], [1e-9, -0.0, 1e9]])
    return Label(-0.1 - 0.2, np.clip(forces, -1.7e308, 1.7e308), rng.standard_normal((3, 3)))


def same(one: Label | None, other: Label) -> bool:
    def bits(label):
        return np.concatenate([[label.energy], label.forces.ravel(), label.virial.ravel()]).tobytes()

    return one is not None and bits(one) == bits(other) and one.forces.shape == other.forces.shape


def test_a_structure_is_numbers_cell_positions_and_periodicity(atoms):
    key = structure_key(atoms)
    changed = [atoms.copy() for _ in range(5)]
    changed[0].numbers[0] = 28
    changed[1].pbc[2] = False
    changed[2].cell[0, 1] += 2e-10
    changed[3].positions[1, 2] -= 2e-10
    changed[4] = atoms[[1, 0]]
    assert len({key, *map(structure_key, changed)}) == 6


def test_info_last_bits_and_the_sign_of_zero_do_not_make_another_structure(atoms):
    other = atoms.copy()
    other.info.update(rank=3)
    other.set_initial_magnetic_moments([1, 2])
    other.positions += 1e-14
    other.cell[:] = np.where(other.cell.array == 0, -0.0, other.cell.array)
    assert np.signbit(other.cell.array).any()
    assert structure_key(other) == structure_key(atoms)


def test_a_label_is_of_a_structure_by_an_engine_with_settings_and_version(atoms):
    engines = [
        ENGINE,
        SimpleNamespace(name="other", settings={"cutoff": 300}, version="1"),
        SimpleNamespace(name="fake", settings={"cutoff": 301}, version="1"),
        SimpleNamespace(name="fake", settings={"cutoff": 300}, version="2"),
    ]
    keys = {label_key(structure, engine) for engine in engines for structure in (atoms, atoms[:1])}
    assert len(keys) == 8


def test_the_order_of_settings_does_not_count(atoms):
    one = SimpleNamespace(name="fake", settings={"a": 1, "b": 2}, version="1")
    other = SimpleNamespace(name="fake", settings={"b": 2, "a": 1}, version="1")
    assert label_key(atoms, one) == label_key(atoms, other)


def test_a_label_comes_back_to_the_last_bit(atoms, label, tmp_path):
    store, key = LabelStore(tmp_path / "store"), label_key(atoms, ENGINE)
    assert store.get(key) is None
    store.put(key, atoms, label, ENGINE)
    assert same(LabelStore(tmp_path / "store").get(key), label)


def test_an_entry_is_json_that_tells_what_was_computed(atoms, label, tmp_path):
    store, key = LabelStore(tmp_path), label_key(atoms, ENGINE)
    store.put(key, atoms, label, ENGINE)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")] == [f"{key[:2]}/{key}.json"]
    entry = json.loads(store.path(key).read_text())
    assert entry["engine"] == {"name": "fake", "settings": {"cutoff": 300}, "version": "1"}
    assert (entry["symbols"], entry["pbc"]) == (["Cu", "Zr"], [True, True, True])
    assert (entry["cell"], entry["positions"]) == (atoms.cell.tolist(), atoms.positions.tolist())


def test_the_same_label_makes_the_same_bytes(atoms, label, tmp_path):
    key = label_key(atoms, ENGINE)
    texts = []
    for name in ("one", "two"):
        store = LabelStore(tmp_path / name)
        store.put(key, atoms, label, ENGINE)
        texts.append(store.path(key).read_bytes())
    assert texts[0] == texts[1]


def test_a_number_that_is_not_finite_is_not_kept(atoms, label, tmp_path):
    store, key = LabelStore(tmp_path), label_key(atoms, ENGINE)
    with pytest.raises(ValueError):
        store.put(key, atoms, Label(np.nan, label.forces, label.virial), ENGINE)
    assert not list(tmp_path.rglob("*.json"))


def test_an_entry_cut_short_anywhere_counts_as_none(atoms, label, tmp_path, caplog):
    store, key = LabelStore(tmp_path), label_key(atoms, ENGINE)
    store.put(key, atoms, label, ENGINE)
    whole = store.path(key).read_bytes()
    closing = whole.rstrip()
    for length in range(0, len(closing), 7):
        store.path(key).write_bytes(whole[:length])
        assert store.get(key) is None
    assert "damaged, the label is computed again" in caplog.text
    store.put(key, atoms, label, ENGINE)
    assert same(store.get(key), label)


def test_any_changed_digit_counts_as_damage(atoms, label, tmp_path):
    store, key = LabelStore(tmp_path), label_key(atoms, ENGINE)
    store.put(key, atoms, label, ENGINE)
    whole = store.path(key).read_text()
    digits = [place for place, letter in enumerate(whole) if letter.isdigit()]
    for place in digits[::5]:
        changed = whole[:place] + str((int(whole[place]) + 1) % 10) + whole[place + 1 :]
        store.path(key).write_text(changed)
        found = store.get(key)
        # A last digit beyond the precision of a float may change nothing.
        assert found is None or json.loads(changed) == json.loads(whole)


@pytest.mark.parametrize("content", [b"", b"\0" * 900, b"\xff\xfe", b"[]", b"3", b"null", b'{"key": 1}'])
def test_something_else_in_place_of_an_entry_counts_as_none(content, atoms, tmp_path):
    store, key = LabelStore(tmp_path), label_key(atoms, ENGINE)
    store.path(key).parent.mkdir()
    store.path(key).write_bytes(content)
    assert store.get(key) is None


def test_an_entry_under_the_name_of_another_counts_as_none(atoms, label, tmp_path):
    store, key, other = LabelStore(tmp_path), label_key(atoms, ENGINE), label_key(atoms[:1], ENGINE)
    store.put(key, atoms, label, ENGINE)
    store.path(other).parent.mkdir(exist_ok=True)
    store.path(other).write_bytes(store.path(key).read_bytes())
    assert store.get(other) is None


def test_a_store_that_cannot_be_read_is_an_error_and_not_a_missing_label(atoms, tmp_path):
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(OSError):
        LabelStore(tmp_path / "store").get(label_key(atoms, ENGINE))


WRITER = """
import itertools, sys
from types import SimpleNamespace
import numpy as np
from ase import Atoms
from gapdesign.engines import Label
from gapdesign.errors import InputError
from gapdesign.files import read_frames
from gapdesign.labels.identity import structure_key
from gapdesign.labels.store import LabelStore, label_key
engine = SimpleNamespace(name="fake", settings={}, version="1")
store, many = LabelStore(sys.argv[1]), int(sys.argv[2])
forces = np.full((200, 3), 0.1)
for number in itertools.count() if many == 0 else range(many):
    atoms = Atoms("Zr200", cell=[30 + number % 7] * 3, pbc=True)
    store.put(label_key(atoms, engine), atoms, Label(30.0 + number % 7, forces, np.eye(3)), engine)
"""


def shared(number: int) -> Atoms:
    return Atoms("Zr200", cell=[30 + number] * 3, pbc=True)


def writer(folder, many: int = 0) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(many)])


def test_writers_at_the_same_time_never_show_half_a_label(tmp_path):
    """Three processes write the same seven labels, over and over, while this one reads them."""
    engine = SimpleNamespace(name="fake", settings={}, version="1")
    keys = [label_key(shared(number), engine) for number in range(7)]
    writers, store, seen = [writer(tmp_path, 70) for _ in range(3)], LabelStore(tmp_path), 0
    while any(process.poll() is None for process in writers):
        for number, key in enumerate(keys):
            if store.path(key).exists():
                label = store.get(key)
                assert label.energy == 30.0 + number and label.forces.shape == (200, 3)
                seen += 1
    assert [process.returncode for process in writers] == [0, 0, 0]
    assert seen > 10
    assert sorted(path.name for path in tmp_path.rglob("*.json")) == sorted(f"{key}.json" for key in keys)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 7
    assert store.verify() == {}


@pytest.mark.parametrize("blow", range(4))
def test_a_writer_killed_at_any_moment_loses_at_most_what_it_was_writing(blow, tmp_path):
    process, store = writer(tmp_path), LabelStore(tmp_path)
    while len(store.paths()) < 3:
        assert process.poll() is None
    time.sleep(0.003 * blow)
    process.kill()
    process.wait()
    kept = store.paths()
    assert len(kept) >= 3 and store.verify() == {}
    # Whoever writes that label next removes what was left of it.
    last = writer(tmp_path, 7)
    assert last.wait() == 0
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 7
    assert store.verify() == {}


def filled(folder, label) -> LabelStore:
    """A store of several structures, an isolated atom among them, and an engine of awkward words."""
    store = LabelStore(folder)
    settings = {"cutoff": 600.0, "words": "a \"b\" \\ 'c' = {1}, [2] % %5C é\n"}
    engine = SimpleNamespace(name="fake", settings=settings, version="1")
    for number in range(6):
        atoms = bulk("CuZr", "cesiumchloride", a=3.26 + 0.1 * number)
        atoms.rattle(0.1, seed=number)
        store.put(label_key(atoms, engine), atoms, label, engine, attempts=["as configured: no", "more: a label"])
    atom = Atoms("Zr", cell=[20] * 3, pbc=True)
    lone = Label(-1 / 3, np.zeros((1, 3)), np.zeros((3, 3)))
    store.put(label_key(atom, engine, isolated=True), atom, lone, engine, isolated=True)
    return store


def test_an_isolated_atom_has_a_key_of_its_own(atoms):
    assert label_key(atoms, ENGINE) != label_key(atoms, ENGINE, isolated=True)


def test_verify_names_every_damaged_label_and_says_what_is_wrong(label, tmp_path):
    store = filled(tmp_path, label)
    assert store.verify() == {}
    paths = store.paths()
    paths[1].write_text(paths[1].read_text()[:200])
    changed = json.loads(paths[2].read_text())
    paths[2].write_text(json.dumps(changed | {"label": changed["label"] | {"energy": -7.0}}))
    paths[3].rename(paths[3].with_name(f"{'0' * 64}.json"))
    told = []
    damaged = store.verify(lambda done, total: told.append((done, total)))
    reasons = {path.name: reason for path, reason in damaged.items()}
    assert len(reasons) == 3 and told == [(number, 7) for number in range(1, 8)]
    assert reasons[paths[1].name].startswith("not JSON: ")
    assert reasons[paths[2].name] == "its content does not match its checksum"
    assert reasons[f"{'0' * 64}.json"] == "its name is not that of its key"


def test_a_label_moved_to_another_structure_with_a_new_checksum_is_damaged(label, tmp_path):
    """Whoever edits a file and mends its checksum still has not got the key."""
    store = filled(tmp_path, label)
    entry = json.loads(store.paths()[0].read_text())
    entry["positions"][0][0] += 0.01
    del entry["checksum"]
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    entry["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    store.paths()[0].write_text(json.dumps(entry))
    assert list(store.verify().values()) == ["its structure and engine do not make its key"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"forces": [[0, 0, 0]]}, r"it holds forces of shape \(1, 3\) instead of \(2, 3\)"),
        ({"forces": [[0, 0, 0], [0, 0]]}, "its structure or label is none"),
        ({"virial": [0, 0, 0]}, r"it holds virial of shape \(3,\) instead of \(3, 3\)"),
        ({"energy": [1.0]}, r"it holds energy of shape \(1,\)"),
        ({"energy": None}, "a value of energy that is not finite"),
        ({"energy": "1"}, "its energy is '1'"),
        ({"energy": True}, "its energy is True"),
    ],
)
def test_a_label_of_a_wrong_shape_is_none_though_key_and_checksum_are_right(change, reason, label, tmp_path):
    store = filled(tmp_path, label)
    path = next(path for path in store.paths() if not json.loads(path.read_text())["isolated"])
    entry = json.loads(path.read_text())
    entry["label"] |= change
    del entry["checksum"]
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    entry["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(entry))
    (found,) = store.verify().values()
    assert re.search(reason, found)
    assert store.get(path.stem) is None


def test_a_label_without_a_virial_comes_back_and_is_exported(atoms, label, tmp_path):
    store, key = LabelStore(tmp_path / "one"), label_key(atoms, ENGINE)
    store.put(key, atoms, Label(label.energy, label.forces, None), ENGINE)
    assert store.get(key).virial is None
    assert store.export(tmp_path / "all.extxyz") == 1
    assert "REF_virial" not in read_frames(tmp_path / "all.extxyz")[0].info
    assert LabelStore(tmp_path / "two").read_in(tmp_path / "all.extxyz") == (1, 0)


def test_export_and_import_give_back_every_byte(label, tmp_path):
    store, other = filled(tmp_path / "one", label), LabelStore(tmp_path / "two")
    assert store.export(tmp_path / "all.extxyz") == 7
    assert other.read_in(tmp_path / "all.extxyz") == (7, 0)
    assert [path.name for path in other.paths()] == [path.name for path in store.paths()]
    for one, two in zip(store.paths(), other.paths(), strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert other.read_in(tmp_path / "all.extxyz") == (0, 7)
    frames = read_frames(tmp_path / "all.extxyz")
    assert {atoms.info.get("config_type") for atoms in frames} == {None, "isolated_atom"}
    for atoms in frames:
        assert np.size(atoms.info["REF_virial"]) == 9 and atoms.arrays["REF_forces"].shape == (len(atoms), 3)


def test_a_label_that_is_there_stays_when_another_is_imported(label, tmp_path):
    store, other = filled(tmp_path / "one", label), filled(tmp_path / "two", Label(3.0, *_other_numbers(label)))
    before = [path.read_bytes() for path in other.paths()]
    store.export(tmp_path / "all.extxyz")
    assert other.read_in(tmp_path / "all.extxyz") == (0, 7)
    assert [path.read_bytes() for path in other.paths()] == before


class Living:
    """Counts how many of the structures that a function returns live at the same time."""

    def __init__(self, function):
        self._function, self._seen, self.most = function, weakref.WeakValueDictionary(), 0

    def __call__(self, *arguments):
        atoms = self._function(*arguments)
        self._seen[id(atoms)] = atoms
        self.most = max(self.most, len(self._seen))
        return atoms


def test_labels_go_out_and_come_in_one_by_one_with_one_flush_per_folder(atoms, label, tmp_path, monkeypatch):
    store, other = LabelStore(tmp_path / "one"), LabelStore(tmp_path / "two")
    flushed, structures = [], Living(module._frame)
    monkeypatch.setattr(os, "fsync", flushed.append)
    monkeypatch.setattr(module, "_frame", structures)
    for length in range(40):
        moved = atoms.copy()
        moved.positions[1, 0] += 0.01 * length
        store.put(label_key(moved, ENGINE), moved, label, ENGINE)
    assert store.export(tmp_path / "all.extxyz") == 40
    flushed.clear()
    assert other.read_in(tmp_path / "all.extxyz") == (40, 0)
    folders = {path.parent for path in other.paths()}
    assert len(flushed) == len(folders) < 40
    assert structures.most <= 3
    assert [path.read_bytes() for path in other.paths()] == [path.read_bytes() for path in store.paths()]


def _other_numbers(label):
    return np.ones_like(label.forces), np.eye(3)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("REF_energy=-0.30000000000000004", "REF_energy=-0.4", "its numbers are not those of its `entry`"),
        ("2.71828", "2.71829", "its numbers are not those of its `entry`"),
        ('\\"energy\\": -0.30000000000000004', '\\"energy\\": -0.4', "its content does not match its checksum"),
        ("entry=", "other=", "it has no `entry`"),
    ],
)
def test_a_file_that_was_touched_is_refused_as_a_whole(old, new, reason, label, tmp_path):
    label.forces[0, 1] = 2.71828
    store, other = filled(tmp_path / "one", label), LabelStore(tmp_path / "two")
    store.export(tmp_path / "all.extxyz")
    text = (tmp_path / "all.extxyz").read_text()
    place = text.rindex(old)
    (tmp_path / "all.extxyz").write_text(text[:place] + new + text[place + len(old) :])
    with pytest.raises(InputError, match=f"all.extxyz, frame [0-6]: {reason}"):
        other.read_in(tmp_path / "all.extxyz")
    assert not other.folder.exists()


def test_a_damaged_store_is_not_exported(label, tmp_path):
    store = filled(tmp_path / "one", label)
    store.paths()[2].write_text("{}")
    with pytest.raises(InputError, match=r"\.json: damaged \(it is not made of key, engine"):
        store.export(tmp_path / "all.extxyz")
    assert not (tmp_path / "all.extxyz").exists()
