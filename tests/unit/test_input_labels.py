"""Labels in the user's frames: by which keys they are read, which are none, and who is told."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from gapdesign.engines.base import NotConvergedError
from gapdesign.engines.file import FileEngine, FileOptions
from gapdesign.errors import InputError
from gapdesign.inputs.isolated import isolated_energies, regressed, require
from gapdesign.inputs.labels import Keys, in_words, read
from gapdesign.models.shared.leastsquares import OFFSET
from gapdesign.replay.labels import LabelFiles


def frame(number: int, *, ase: bool = False, **info) -> Atoms:
    """A cell of two atoms with labels under keys of the user's and, in ASE's place, those of another potential."""
    atoms = bulk("Cu", "fcc", a=3.6 + 0.01 * number).repeat((2, 1, 1))
    forces = info.pop("forces", None)
    atoms.info.update(info)
    if forces is not None:
        atoms.arrays[forces] = np.full((2, 3), 0.5)
    if ase:
        atoms.calc = SinglePointCalculator(atoms, energy=-11.4, forces=np.ones((2, 3)), stress=np.zeros(6))
    return atoms


@pytest.fixture
def save(tmp_path):
    """Writes frames to a file, and returns its path as text."""

    def save(*frames, name="set.extxyz"):
        write(tmp_path / name, list(frames))
        return str(tmp_path / name)

    return save


def energies(path, **keys):
    found, tally = read([path], Keys(**keys))
    return [each.values.energy for each in found], tally


class TestKeys:
    def test_a_named_key_is_never_replaced_by_what_ase_reads(self, save):
        path = save(frame(0, ase=True, dft_energy=0.2), frame(1, ase=True))
        found, tally = energies(path, energy="dft_energy")
        assert found == [0.2, None]
        assert tally.by_key["energy"] == {"dft_energy": 1}
        assert tally.lacking["energy"].startswith("frame 1 of")

    @pytest.mark.parametrize("quantity", ["energy", "forces", "virial", "stress"])
    def test_a_misspelt_key_stops_at_once_with_the_keys_that_are_there(self, quantity, save):
        path = save(frame(0, ase=True, dft_energy=0.2, forces="dft_forces"))
        sentence = (
            rf"labels\.file\.{quantity}_key: no frame of '.*set.extxyz' has 'dft_enrgy', only dft_energy, dft_forces"
        )
        with pytest.raises(InputError, match=sentence):
            read([path], Keys(**{quantity: "dft_enrgy"}))

    def test_defaults_are_those_of_all_frames_and_never_mixed(self, save):
        both = frame(0, ase=True, REF_energy=0.2, forces="REF_forces")
        found, tally = energies(save(both, frame(1, ase=True)))
        assert found == [0.2, None]
        assert tally.by_key == {"energy": {"REF_energy": 1}, "forces": {"REF_forces": 1}}
        found, tally = energies(save(frame(0, ase=True), frame(1, ase=True)))
        assert found == [-11.4, -11.4]
        assert tally.by_key == {"energy": {"energy": 2}, "forces": {"forces": 2}, "virial": {"stress": 2}}

    @pytest.mark.parametrize("named", [True, False])
    def test_names_of_ase_are_found_where_ase_puts_them(self, named, save):
        keys = {"energy": "energy", "forces": "forces", "stress": "stress"} if named else {}
        found, tally = energies(save(frame(0, ase=True)), **keys)
        assert found == [-11.4] and tally.lacking == {}

    def test_a_named_stress_replaces_the_default_virial(self, save):
        path = save(frame(0, REF_energy=1.0, REF_virial=np.ones(9), mine=np.eye(3).ravel()))
        ((each,), _) = read([path], Keys(stress="mine"))
        np.testing.assert_allclose(each.values.virial, -each.atoms.get_volume() * np.eye(3))
        ((each,), _) = read([path], Keys())
        np.testing.assert_allclose(each.values.virial, np.ones((3, 3)))

    def test_a_free_energy_is_that_of_all_frames(self, save):
        first, second = frame(0, ase=True), frame(1, ase=True)
        first.calc.results["free_energy"] = -12.0
        second.calc.results["free_energy"] = -12.5
        assert energies(save(first, second))[0] == [-12.0, -12.5]
        del second.calc.results["free_energy"]
        with pytest.raises(InputError, match=r"frame 1 of .* has an 'energy' and no 'free_energy', which others have"):
            read([save(first, second)], Keys())
        assert energies(save(first, second), energy="energy")[0] == [-11.4, -11.4]

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            ("None", r"frame 1 of .* has REF_energy=None, not made of finite numbers"),
            (np.nan, "has REF_energy=nan, not"),
        ],
    )
    def test_what_is_no_number_is_named_with_file_and_frame(self, value, sentence, save):
        with pytest.raises(InputError, match=rf"labels\.file\.energy_key: .*{sentence}"):
            read([save(frame(0, REF_energy=1.0), frame(1, REF_energy=value))], Keys())

    def test_a_virial_of_five_numbers_is_none(self, save):
        with pytest.raises(
            InputError, match=r"virial_key: frame 0 of .* has REF_virial of shape 5; it must be nine numbers"
        ):
            read([save(frame(0, REF_energy=1.0, REF_virial=np.ones(5)))], Keys())

    def test_a_set_without_any_energy_is_named(self, save):
        with pytest.raises(InputError, match=r"no frame of .* has 'REF_energy', 'free_energy', 'energy', only E; name"):
            read([save(frame(0, E=1.0))], Keys())


def test_numbers_of_labels_are_words(save):
    path = save(frame(0, REF_energy=1.0), frame(1, REF_energy=1.0, forces="REF_forces"))
    assert in_words(read([path], Keys())[1].data()) == (
        "2 frames in 1 file: energy of 2 by 'REF_energy', forces of 1 by 'REF_forces' (the first without: frame 0 of"
        f" '{path}'), no virial"
    )


class TestIsolatedAtoms:
    def lone(self, energy, *, config_type="", cell=20.0):
        info = {"config_type": config_type} if config_type else {}
        return Atoms("Cu", cell=[cell] * 3, pbc=True, info=info | {"REF_energy": energy})

    def test_they_are_given_or_declared_or_alone_in_this_order(self, save):
        found, _ = read([save(self.lone(-3.0), self.lone(-2.0, config_type="isolated_atom"))], Keys())
        assert isolated_energies(found, {}) == {"Cu": -2.0}
        assert isolated_energies(found, {"Cu": -1.0}) == {"Cu": -1.0}
        assert isolated_energies(found[:1], {}) == {"Cu": -3.0}

    def test_two_that_differ_are_named(self, save):
        found, _ = read([save(self.lone(-3.0), self.lone(-3.1))], Keys())
        with pytest.raises(InputError, match=r"labels\.file\.isolated: .*, frame 0 and .*, frame 1 are isolated atoms"):
            isolated_energies(found, {})

    def test_a_regression_is_offered_where_one_is_missing(self, save):
        mixed = bulk("CuZr", "cesiumchloride", a=3.2)
        pure = bulk("Cu", "fcc", a=3.6)
        mixed.info["REF_energy"], pure.info["REF_energy"] = -9.0, -3.5
        found, _ = read([save(mixed, pure)], Keys())
        assert regressed(found) == pytest.approx({"Cu": -3.5, "Zr": -5.5})
        with pytest.raises(
            InputError, match=r"of Cu and Zr is missing: no frame is one .*\{Cu: -3\.5000, Zr: -5\.5000\}"
        ):
            require(["Cu", "Zr"], {}, found)
        # Without a pure cell the two cannot be told apart.
        assert regressed(found[:1]) == {}


class TestReaders:
    """The engine `file` and the replay see the same labels."""

    def both(self, path, atoms, **options):
        given = FileOptions(paths=(path,), isolated={"Cu": 0.0}, **options)
        label = FileEngine(given).label(atoms)
        values = LabelFiles(given).labels([atoms], "A").values
        assert values[0] == label.energy
        np.testing.assert_array_equal(values[OFFSET:], np.ravel(label.forces))
        return label, values

    @pytest.mark.parametrize("options", [{}, {"energy_key": "energy", "forces_key": "forces", "stress_key": "stress"}])
    def test_what_ase_puts_into_the_calculator(self, options, save):
        atoms = frame(0, ase=True)
        label, values = self.both(save(atoms), atoms, **options)
        assert label.energy == -11.4 and np.isfinite(values).all()

    def test_a_pool_that_was_written_with_eight_decimals(self, save):
        atoms = frame(0, REF_energy=-7.0, forces="REF_forces")
        atoms.positions += 1 / 3 + 4e-9
        label, _ = self.both(save(atoms), atoms)
        assert label.energy == -7.0
        shuffled = atoms[[1, 0]]
        shuffled.positions += atoms.cell[0]
        assert self.both(save(shuffled), atoms)[0].energy == -7.0

    def test_a_slab_is_not_the_bulk_in_its_cell(self, save):
        bulky, slab = frame(0, REF_energy=-7.0, forces="REF_forces"), frame(0, REF_energy=-6.0, forces="REF_forces")
        slab.pbc = [True, True, False]
        path = save(bulky, slab)
        assert self.both(path, bulky)[0].energy == -7.0
        assert self.both(path, slab)[0].energy == -6.0
        only = FileOptions(paths=(save(slab, name="slab.extxyz"),), isolated={"Cu": 0.0})
        with pytest.raises(NotConvergedError, match="No result is of this structure"):
            FileEngine(only).label(bulky)
        with pytest.raises(InputError, match=r"candidate 0 of pool A .* is not in these files"):
            LabelFiles(only).labels([bulky], "A")

    def test_sets_without_stress_are_taken_by_both(self, save):
        atoms = frame(0, REF_energy=-7.0, forces="REF_forces")
        label, values = self.both(save(atoms), atoms)
        assert label.virial is None and np.isnan(values[1:7]).all()

    def test_frames_without_an_energy_or_forces_have_no_label_and_say_so(self, save):
        first, second = frame(0, REF_energy=-7.0), frame(1, REF_energy=-7.0, forces="REF_forces")
        engine = FileEngine(FileOptions(paths=(save(first, second),), isolated={"Cu": 0.0}))
        with pytest.raises(NotConvergedError, match=r"set.extxyz, frame 0: It has no forces\."):
            engine.label(first)
        assert engine.label(second).energy == -7.0

    def test_the_engine_stops_before_any_label_without_forces_or_the_energy_of_an_atom(self, save):
        with pytest.raises(InputError, match=r"labels\.file\.forces_key: no frame has forces"):
            FileEngine(FileOptions(paths=(save(frame(0, REF_energy=1.0)),))).load(["Cu"])
        path = save(frame(0, REF_energy=1.0, forces="REF_forces"))
        with pytest.raises(
            InputError, match=r"labels\.file\.isolated: the energy of an isolated atom of Cu is missing"
        ):
            FileEngine(FileOptions(paths=(path,))).load(["Cu"])
        FileEngine(FileOptions(paths=(path,), isolated={"Cu": 0.0})).load(["Cu"])

    @pytest.mark.parametrize("module", ["gzip", "bz2", "lzma"])
    def test_compressed_files_are_found_in_folders(self, module, save, tmp_path):
        atoms = frame(0, REF_energy=-7.0, forces="REF_forces")
        path = Path(save(atoms))
        suffix = {"gzip": "gz", "bz2": "bz2", "lzma": "xz"}[module]
        (tmp_path / "packed").mkdir()
        with import_module(module).open(tmp_path / f"packed/{path.name}.{suffix}", "wb") as stream:
            stream.write(path.read_bytes())
        assert self.both(str(tmp_path / "packed"), atoms)[0].energy == -7.0
