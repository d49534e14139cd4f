"""Pools from the user's files: which frames they hold, what these carry, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from gapdesign.descriptors.kernel import KernelOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.files import read_frames, write_frames
from gapdesign.inputs.carried import LONGEST, note
from gapdesign.inputs.frames import Frame
from gapdesign.methods.designs import with_frames
from gapdesign.models.gap.environments import environments
from gapdesign.prototypes import PrototypeOptions, prototypes
from gapdesign.samplers import sample
from gapdesign.samplers.options import PoolOptions
from gapdesign.samplers.shared import frames
from gapdesign.structures import Batch, pack, read_batch, write_batch

COPPER = bulk("Cu", "fcc", a=3.6, cubic=True)
CRYSTALS = prototypes({"fcc": PrototypeOptions(element="Cu", lattice="fcc", a=3.6)})


def labelled(number: int) -> Atoms:
    atoms = bulk("Cu", "fcc", a=3.6 + 0.01 * number, cubic=True)
    atoms.positions += 1 / 3
    atoms.info = {"config_type": "12", "REF_energy": -1.0 * number, "REF_virial": np.arange(9.0), "note": None}
    atoms.arrays["REF_forces"] = np.full((4, 3), number / 3)
    atoms.calc = SinglePointCalculator(atoms, energy=7.0 + number, stress=np.arange(6.0))
    return atoms


def lone() -> Atoms:
    return Atoms("Cu", cell=[15] * 3, pbc=True, info={"config_type": "isolated_atom", "REF_energy": -0.5})


def pool(path, size: int, **more) -> Batch:
    options = PoolOptions(sampler="file", size=size, file={"path": str(path), "shuffle": False}, **more)
    return sample(options.of("A").sampling, CRYSTALS, seed=1, pool="A", start=0, stop=size)


def test_candidates_carry_file_frame_and_what_the_frame_carried(tmp_path):
    write(tmp_path / "mine.extxyz", [lone(), *map(labelled, range(3))])
    write_batch(tmp_path / "0-3.npz", pool(tmp_path / "mine.extxyz", 3))
    chosen = read_batch(tmp_path / "0-3.npz").take([2, 0])
    write_frames(tmp_path / "design.extxyz", [chosen.annotated(0), chosen.annotated(1)])
    for atoms, number in zip(read_frames(tmp_path / "design.extxyz"), (2, 0), strict=True):
        assert atoms.info["source_file"] == str(tmp_path / "mine.extxyz")
        assert atoms.info["source_frame"] == number + 1
        assert atoms.info["source_config_type"] == "12"
        assert atoms.info["source_REF_energy"] == -number
        assert atoms.info["source_energy"] == 7 + number
        np.testing.assert_array_equal(np.ravel(atoms.info["source_REF_virial"], order="F"), np.arange(9))
        np.testing.assert_allclose(atoms.arrays["source_REF_forces"], number / 3, atol=1e-8)
        assert not {key for key in (*atoms.info, *atoms.arrays) if key.startswith("REF_")}
        assert atoms.calc is None


def test_what_is_too_long_or_no_value_is_left_out(tmp_path):
    atoms = labelled(0)
    atoms.info |= {"file": "mine", "long": "x" * 20000, "lines": "one\ntwo", "deep": {"a": [1]}}
    atoms.arrays["soap"] = np.zeros((4, 2000))
    atoms.info["odd"] = object()
    held = note(Frame(atoms, "mine.db", 7))
    assert len(held) <= LONGEST
    write_frames(tmp_path / "design.extxyz", [pack([COPPER], notes=[held]).annotated(0)])
    (design,) = read_frames(tmp_path / "design.extxyz")
    assert (design.info["source_file"], design.info["source_frame"]) == ("mine.db", 7)
    assert design.info["source_lines"] == "one two"
    assert design.info["source_deep"] == {"a": [1]}
    assert design.arrays["source_REF_forces"].shape == (4, 3)
    assert not {"source_long", "source_odd"} & {*design.info}
    assert "source_soap" not in design.arrays


def test_candidates_that_come_from_no_file_are_stored_as_ever(tmp_path):
    options = PoolOptions(size=2)
    batch = sample(options.of("A").sampling, CRYSTALS, seed=1, pool="A", start=0, stop=2)
    write_batch(tmp_path / "0-2.npz", batch)
    assert "notes" not in np.load(tmp_path / "0-2.npz").files
    assert batch.annotated(1).info.keys() == {"candidate", "prototype", "deformation"}


def test_a_converted_file_has_every_bit_and_the_same_numbers(tmp_path):
    made = [lone(), *map(labelled, range(2))]
    write(tmp_path / "mine.traj", made)
    batch = pool(tmp_path / "mine.traj", 2)
    for k in range(2):
        assert batch.atoms(k).positions.tobytes() == made[k + 1].positions.tobytes()
        assert batch.atoms(k).cell[:].tobytes() == made[k + 1].cell[:].tobytes()
        told = json.loads(batch.notes[k])
        assert (told["frame"], told["info"]["energy"]) == (k + 1, 7 + k)


def test_blank_lines_lose_no_frame(tmp_path):
    for number in range(3):
        write(tmp_path / "mine.extxyz", labelled(number), append=True)
        with (tmp_path / "mine.extxyz").open("a") as stream:
            stream.write("\n\n")
    assert pool(tmp_path / "mine.extxyz", 3).cells[:, 0, 0].round(6).tolist() == [3.6, 3.61, 3.62]


def test_slabs_and_clusters_keep_their_periodicity(tmp_path):
    slab, cluster = fcc111("Cu", (1, 1, 4), vacuum=5.0), labelled(0)
    slab.info, cluster.pbc = {}, False
    write(tmp_path / "mine.extxyz", [slab, cluster])
    assert pool(tmp_path / "mine.extxyz", 2).pbc.tolist() == [[True, True, False], [False] * 3]


def test_isolated_atoms_are_no_candidates(tmp_path):
    write(tmp_path / "mine.extxyz", [labelled(0), lone(), Atoms("Cu"), labelled(1)])
    assert [json.loads(note)["frame"] for note in pool(tmp_path / "mine.extxyz", 2).notes] == [0, 3]
    with pytest.raises(InputError, match=r"^pools\.size: a pool of 3 cannot be drawn from the 2 frames of"):
        pool(tmp_path / "mine.extxyz", 3)


def test_no_frame_takes_the_place_of_a_refused_one(tmp_path):
    near = labelled(1)
    near.positions[1] = near.positions[0] + [0.3, 0, 0]
    write(tmp_path / "mine.extxyz", [labelled(0), near, labelled(2)])
    with pytest.raises(InputError, match=r"^pools\.constraints\.min_distance: frame 1 of '.*mine.extxyz' breaks it"):
        pool(tmp_path / "mine.extxyz", 3)


def test_more_candidates_than_frames_are_refused_before_any_job(tmp_path):
    write(tmp_path / "mine.extxyz", [labelled(0), labelled(1)])
    options = PoolOptions(sampler="file", size=3, file={"path": str(tmp_path / "mine.extxyz")})
    with pytest.raises(InputError, match=r"^pools\.size: a pool of 3 cannot be drawn from the 2 frames"):
        options.check("A")
    write(tmp_path / "mine.extxyz", labelled(2), append=True)
    options.check("A")


def test_an_index_holds_places_and_numbers(tmp_path):
    write(tmp_path / "mine.extxyz", [lone(), labelled(0)])
    ((begin, end, number),) = frames.index(tmp_path / "mine.extxyz")
    text = (tmp_path / "mine.extxyz").read_bytes()
    assert text[begin:end].startswith(b"4\nLattice=")
    assert (end, number) == (len(text), 1)


def test_tables_of_candidates_say_which_frame_each_was(tmp_path):
    write(tmp_path / "mine.extxyz", [lone(), *map(labelled, range(3))])
    whole = pool(tmp_path / "mine.extxyz", 3)
    shards = [tmp_path / "0-2.npz", tmp_path / "2-3.npz"]
    for path, rows in zip(shards, ([0, 1], [2]), strict=True):
        write_batch(path, whole.take(rows))
    table = with_frames(pd.DataFrame({"rank": [0, 1], "candidate": [2, 0]}), shards)
    assert table.to_csv(index=False).splitlines()[1] == f"0,2,{tmp_path}/mine.extxyz,3"
    write_batch(shards[0], replace(whole, notes=np.zeros(0, "S1")))
    assert with_frames(table[["rank", "candidate"]], shards[:1]).columns.tolist() == ["rank", "candidate"]


def test_what_a_candidate_carries_changes_no_environment():
    atoms = labelled(1)
    atoms.arrays |= {"names": np.array(["a", "b", "c", "d"]), "fixed": np.array([True] * 4)}
    batch = pack([COPPER], notes=[note(Frame(atoms, "mine.db", 0))])
    given = {"soap": SoapOptions(r_cut=4.0, n_max=2, l_max=1), "kernel": KernelOptions(), "transition": 0.5}
    plain, annotated = (environments([one], **given).soap[29].vectors for one in (batch.atoms(0), batch.annotated(0)))
    assert batch.annotated(0).arrays["source_names"].tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(annotated, plain)
