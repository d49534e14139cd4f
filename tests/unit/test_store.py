"""The store: what makes a key, exact round trips, damage, and writers at the same time."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk

from gapdesign.engines import Label
from gapdesign.store import LabelStore, label_key, structure_key

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
import sys
from types import SimpleNamespace
import numpy as np
from ase import Atoms
from gapdesign.engines import Label
from gapdesign.store import LabelStore
engine = SimpleNamespace(name="fake", settings={}, version="1")
store = LabelStore(sys.argv[1])
atoms = Atoms("Zr200", cell=[30] * 3, pbc=True)
for number in range(60):
    store.put("ab" * 32, atoms, Label(1.5, np.full((200, 3), 0.1), np.eye(3)), engine)
"""


def test_writers_at_the_same_time_never_show_half_a_label(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) for _ in range(3)]
    store, seen = LabelStore(tmp_path), 0
    while any(writer.poll() is None for writer in writers):
        if store.path("ab" * 32).exists():
            assert store.get("ab" * 32).forces.shape == (200, 3)
            seen += 1
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert seen > 10
    assert [path.name for path in (tmp_path / "ab").iterdir()] == [f"{'ab' * 32}.json"]
