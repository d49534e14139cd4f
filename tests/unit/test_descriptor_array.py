"""Numbers of the user's own: SOAP vectors of another descriptor, put into files, give what that descriptor gives."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.array import ArrayOptions
from gapdesign.descriptors.kernel import PairKernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.descriptors.soap import SoapOptions
from gapdesign.errors import InputError
from gapdesign.files import read_frames
from gapdesign.inputs.carried import note
from gapdesign.inputs.frames import read
from gapdesign.structures import Batch, pack

SPECIES = [29, 40]
SOAP = DescriptorOptions(soap=SoapOptions(r_cut=5.0, n_max=2, l_max=2))


def alloys() -> list[Atoms]:
    """Three structures of different sizes, in the middle an isolated atom."""
    frames = [bulk("CuZr", "cesiumchloride", a=3.26) * (1, 1, k) for k in (1, 2, 3)]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.1, seed=seed)
    return [*frames[:2], Atoms("Cu", cell=[12] * 3, pbc=True), frames[2]]


def vectors(atoms: Atoms) -> np.ndarray:
    """The SOAP vectors of all atoms, (atoms, d)."""
    batch = pack([atoms])
    member = SOAP.member(SOAP.options, SPECIES)
    return member(batch, 0, np.arange(len(atoms)))


def describe(batch: Batch, options: DescriptorOptions) -> np.ndarray:
    return Descriptor(options, PairKernelOptions(), SPECIES).features(batch)


def batch_of(path: Path, *numbers: int) -> Batch:
    """Some frames of a file, as the sampler `file` packs them."""
    frames = [frame for frame in read(path, "test") if frame.number in numbers]
    frames.sort(key=lambda frame: numbers.index(frame.number))
    return pack([frame.bare() for frame in frames], notes=[note(frame) for frame in frames])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A set with SOAP vectors in its frames and beside it, plain and compressed."""
    frames = alloys()
    for atoms in frames:
        atoms.arrays["soap"] = vectors(atoms)
        atoms.info["mean"] = atoms.arrays["soap"].mean(axis=0)
    write(tmp_path / "set.extxyz", frames)
    (tmp_path / "set.xyz.gz").write_bytes(gzip.compress((tmp_path / "set.extxyz").read_bytes()))
    np.save(tmp_path / "atoms.npy", np.concatenate([atoms.arrays["soap"] for atoms in frames]))
    np.save(tmp_path / "frames.npy", np.array([atoms.info["mean"] for atoms in frames]))
    return tmp_path


LENGTH = 4 * 5 // 2 * 3


def by(**options) -> DescriptorOptions:
    return DescriptorOptions(backend="array", array=ArrayOptions(**options))


@pytest.mark.parametrize("name", ["set.extxyz", "set.xyz.gz"])
@pytest.mark.parametrize("order", [(0, 1, 3), (3, 0), (1,)])
def test_vectors_of_another_descriptor_give_its_features(files, name, order):
    """The numbers and positions in a text have eight decimals."""
    batch = batch_of(files / name, *order)
    expected = describe(batch, SOAP)
    np.testing.assert_allclose(describe(batch, by(key="soap", length=LENGTH)), expected, atol=2e-6)
    np.testing.assert_allclose(describe(batch, by(path=str(files / "atoms.npy"))), expected, atol=1e-7)


def test_a_vector_of_the_frame_stands_for_all_its_atoms(files):
    batch = batch_of(files / "set.xyz.gz", 0, 1, 3)
    found = describe(batch, by(key="mean", length=LENGTH))
    np.testing.assert_allclose(found, describe(batch, by(path=str(files / "frames.npy"))), atol=1e-6)
    for atoms, row in zip([alloys()[k] for k in (0, 1, 3)], found, strict=True):
        mean = vectors(atoms).mean(axis=0)
        for part in np.split(row[: 2 * LENGTH], 2):
            np.testing.assert_allclose(part, mean / np.linalg.norm(mean), atol=1e-6)


def test_batches_change_no_bit(files):
    whole = describe(batch_of(files / "set.extxyz", 0, 1, 3), by(key="soap", length=LENGTH))
    parts = [describe(batch_of(files / "set.extxyz", k), by(key="soap", length=LENGTH)) for k in (0, 1, 3)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_one_number_an_atom_is_a_vector_too(tmp_path):
    frames = alloys()
    for atoms in frames:
        atoms.arrays["own"] = 1.0 + np.arange(len(atoms))
    write(tmp_path / "set.extxyz", frames)
    batch = batch_of(tmp_path / "set.extxyz", 0, 1, 3)
    assert describe(batch, by(key="own", length=1))[:, :2].tolist() == [[1, 1]] * 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "give one of key"),
        ({"key": "soap", "path": "atoms.npy", "length": LENGTH}, "give one of key"),
        ({"key": "soap"}, r"descriptor\.array\.length: say how many numbers 'soap' has"),
        ({"key": "soup", "length": 3}, r"frame 0 of '.*set\.extxyz' has no 'soup', only soap, mean\."),
        ({"key": "soap", "length": 3}, rf"frame 0 of '.*' has 'soap' of shape 2x{LENGTH}; it must be 2x3 or 3"),
        ({"path": "none.npy"}, r"descriptor\.array\.path: no file '.*none\.npy'"),
        ({"path": "set.extxyz"}, r"'.*set\.extxyz' is no array of NumPy"),
        ({"path": "flat.npy"}, r"has float64 of shape 7; it must have rows of numbers"),
        ({"path": "short.npy"}, r"has 5 rows, while '.*set\.extxyz' has 4 frames and 13 atoms"),
        ({"path": "atoms.npy", "length": 7}, rf"rows of '.*atoms\.npy' have {LENGTH} numbers, not 7"),
        ({"path": "nan.npy"}, r"frame 1 of '.*' has '.*nan\.npy' that is not finite"),
    ],
)
def test_mistakes_are_one_sentence(files, options, sentence):
    np.save(files / "flat.npy", np.zeros(7))
    np.save(files / "short.npy", np.ones((5, 3)))
    np.save(files / "nan.npy", np.where(np.arange(4) == 1, np.nan, 1.0)[:, None])
    if "path" in options:
        options = options | {"path": str(files / options["path"])}
    with pytest.raises(InputError, match=sentence):
        describe(batch_of(files / "set.extxyz", 0, 1), by(**options))


def test_structures_that_are_from_no_file_have_no_numbers():
    with pytest.raises(InputError, match=r"candidate 0 is from no file, .* use pools of the sampler `file`"):
        describe(pack(alloys()[:1]), by(key="soap", length=LENGTH))


def test_a_study_with_the_vectors_of_another_descriptor_makes_its_designs(files, workflow):
    """Max-min ranks of a pool and of one that continues an existing set, by the workflow."""
    from conftest import Workflow

    frames = [atoms for k in range(12) for atoms in alloys() if len(atoms) > 1]
    rng = np.random.default_rng(3)
    for atoms in frames:
        atoms.positions += 0.1 * rng.standard_normal(atoms.positions.shape)
        atoms.arrays["soap"] = vectors(atoms)
    write(files / "pool.extxyz", frames[2:])
    write(files / "existing.extxyz", frames[:2])
    ranks = {}
    for name in ("dscribe", "array"):
        study = Workflow(files / name)
        study.folder.mkdir()
        study.configure(
            {
                "study": "own",
                "prototypes": {
                    "fcc": {"element": "Cu", "lattice": "fcc", "a": 3.6},
                    "hcp": {"element": "Zr", "lattice": "hcp", "a": 3.23, "c": 5.15},
                },
                "pools": {
                    "names": ["A"],
                    "size": 30,
                    "shard_size": 15,
                    "sampler": "file",
                    "file": {"path": str(files / "pool.extxyz")},
                },
                "budget": 6,
                "designs": {
                    "NEW": {"pool": "A", "method": "maxmin"},
                    "ON": {"pool": "A", "method": "maxmin", "existing": str(files / "existing.extxyz")},
                },
                "descriptor": {
                    "backend": name,
                    "soap": {"r_cut": 5.0, "n_max": 2, "l_max": 2},
                    "array": {"key": "soap", "length": LENGTH},
                },
            }
        )
        designs = {design: f"results/own/designs/{design}.extxyz" for design in ("NEW", "ON")}
        study.run(*designs.values())
        ranks[name] = {
            design: [atoms.info["candidate"] for atoms in read_frames(study.folder / file)]
            for design, file in designs.items()
        }
    assert ranks["array"] == ranks["dscribe"]
    assert len(set(ranks["array"]["NEW"])) == 6
