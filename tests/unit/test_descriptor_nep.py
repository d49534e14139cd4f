"""Features of neuroevolution potentials: what a model's file says, and NEP89 by nep-adapters where both are here.

Tests of NEP89 need nep-adapters and the model, which `make nep` fetches; see docs/features.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from gapdesign.config.study import check, parse
from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.kernel import PairKernelOptions
from gapdesign.descriptors.nep import NepDescriptor, NepOptions, header
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.errors import InputError
from gapdesign.files import sha256
from gapdesign.structures import Batch, pack

NEP89 = str(Path(__file__).parents[2] / "nep89.txt")
SUM = "75168ece02e840e4a32644f982b78d43cba697f5b64b4c8134ab66c7a8c28be1"

HEAD = """nep4_zbl 2 Cu Zr
zbl 1 2
cutoff 6 5 274 158
n_max 4 3
basis_size 8 8
l_max 4 2 1
ANN 80 0
"""


def model(folder: Path, text: str = HEAD) -> str:
    (folder / "nep.txt").write_text(text)
    return str(folder / "nep.txt")


@pytest.mark.parametrize(("orders", "angular"), [("4 2 1", 6), ("4 2 0", 5), ("4 0 0", 4), ("4", 4)])
def test_the_length_is_known_from_the_first_lines(tmp_path, orders, angular):
    """One number a radial function, and one an angular function and order (Fan et al. 2022, equation 12 and after)."""
    found = header(model(tmp_path, HEAD.replace("4 2 1", orders)))
    assert (found.elements, found.dimension, found.cutoff) == (("Cu", "Zr"), 5 + 4 * angular, 6.0)
    assert NepDescriptor.dimension(NepOptions(path=str(tmp_path / "nep.txt")), 7) == found.dimension


@pytest.mark.parametrize(
    "text", ["", "hello\n", HEAD.replace("nep4_zbl 2", "nep4_zbl 3"), HEAD.replace("n_max 4 3\n", ""), "\xff\xfe"]
)
def test_another_file_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "nep.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"^descriptor\.nep\.path: '.*nep\.txt' (is no|cannot be read)"):
        header(str(path))


def test_a_missing_model_says_how_it_comes():
    with pytest.raises(InputError, match=r"no file 'none\.txt'; .* `make nep` fetches NEP89"):
        header("none.txt")


def test_an_element_that_the_model_lacks_is_found_before_any_job(tmp_path):
    options = DescriptorOptions(backend="nep", nep=NepOptions(path=model(tmp_path)))
    study = {
        "prototypes": {"hcp": {"element": "Ti", "lattice": "hcp", "a": 2.95, "c": 4.68}},
        "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
        "descriptor": options.model_dump(mode="json"),
    }
    with pytest.raises(InputError, match=r"^descriptor\.nep\.path: '.*nep\.txt' knows no Ti; name another model\."):
        check(parse(study))
    study["prototypes"]["hcp"]["element"] = "Zr"
    check(parse(study))


def alloy() -> Atoms:
    atoms = bulk("Zr", "hcp", a=3.23, c=5.15) * (1, 1, 2)
    atoms.numbers[1] = 29
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.fixture(scope="session")
def nep89() -> Descriptor:
    pytest.importorskip("nep_adapters", reason="nep-adapters is not installed")
    if not Path(NEP89).is_file():
        pytest.skip("nep89.txt is not here; `make nep` fetches it")
    assert sha256(NEP89) == SUM
    options = DescriptorOptions(backend="nep", nep=NepOptions(path=NEP89))
    return Descriptor(options, PairKernelOptions(), [29, 40])


def described(descriptor: Descriptor, atoms: Atoms) -> np.ndarray:
    """The vectors of all atoms of a structure."""
    return descriptor._environments(pack([atoms]), 0, np.arange(len(atoms)))


def test_vectors_are_those_of_the_program(nep89):
    from nep_adapters import NEPCalculator

    vectors = described(nep89, alloy())
    assert vectors.shape == (4, header(NEP89).dimension) == (4, 35)
    np.testing.assert_array_equal(vectors, NEPCalculator(NEP89).predict_descriptors([alloy()]))


def turned(atoms: Atoms) -> Atoms:
    atoms.rotate(37, (1, 2, -0.5), rotate_cell=True)
    return atoms


def unwrapped(atoms: Atoms) -> Atoms:
    atoms.positions += [7.3, -30.1, 4.4]
    atoms.positions[0] += 3 * atoms.cell[1] - atoms.cell[2]
    return atoms


@pytest.mark.parametrize("change", [turned, unwrapped, lambda atoms: atoms * (2, 1, 3)])
def test_the_same_crystal_has_the_same_vectors(nep89, change):
    np.testing.assert_allclose(described(nep89, change(alloy()))[:4], described(nep89, alloy()), atol=1e-14)


def test_order_changes_nothing_and_batches_change_no_bit(nep89):
    order = [2, 0, 3, 1]
    vectors = described(nep89, alloy())
    np.testing.assert_allclose(described(nep89, alloy()[order]), vectors[order], atol=1e-14)
    frames = [alloy() * (1, 1, k) for k in (1, 2, 3)]
    batch: Batch = pack(frames)
    alone = np.concatenate([nep89.features(batch.take([k])) for k in range(3)])
    assert nep89.features(batch).tobytes() == alone.tobytes()


def test_a_slab_and_a_cluster_have_no_images(nep89):
    """Whatever cell they are given: tight, or with all the vacuum that there may be."""
    for pbc in ([True, True, False], [False, False, False]):
        tight, wide = alloy(), alloy()
        for atoms, lengths in ((tight, [1, 1, 1]), (wide, [1 if axis else 6 for axis in pbc])):
            atoms.pbc = pbc
            atoms.set_cell(atoms.cell[:] * np.array(lengths)[:, None])
        np.testing.assert_allclose(described(nep89, tight), described(nep89, wide), atol=1e-14)
        assert np.abs(described(nep89, tight) - described(nep89, alloy())).max() > 1e-4


def test_a_model_that_is_cut_off_is_refused(nep89, tmp_path):
    path = model(tmp_path, Path(NEP89).read_text()[:100_000])
    with pytest.raises(InputError, match=r"^descriptor\.nep\.path: '.*nep\.txt' is cut off: it has"):
        NepDescriptor(NepOptions(path=path), [29, 40])
