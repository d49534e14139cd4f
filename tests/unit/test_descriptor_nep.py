"""Features of neuroevolution potentials: what a model's file says, and NEP89 by nep-adapters where both are here.

Tests of NEP89 need nep-adapters and the model, which `make nep` fetches; see docs/features.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from finite_differences import check_sums
from gapdesign.config.study import check, parse
from gapdesign.descriptors import Descriptor, neuroevolution
from gapdesign.descriptors.blindspots import compare
from gapdesign.descriptors.kernel import KernelOptions, PairKernelOptions
from gapdesign.descriptors.nep import NepDescriptor, NepOptions
from gapdesign.descriptors.neuroevolution import Functions, header
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.errors import InputError
from gapdesign.files import sha256
from gapdesign.structures import Batch, pack
from same_crystal import CHANGES, alloy

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


NUMBERS = 2 * (29 + 2) * 80 + 1 + 4 * (5 * 9 + 4 * 9) + 29
"""Of HEAD: a network for each element and one bias, the functions of every ordered pair of elements, the scale."""


def model(folder: Path, text: str = HEAD, numbers: int = NUMBERS, end: str = "") -> str:
    values = "".join(f" {0.1 + 1e-5 * number:.7e}\n" for number in range(numbers))
    (folder / "nep.txt").write_text(text + values + end)
    return str(folder / "nep.txt")


def refusal(path: str, species: tuple[int, ...] = (29, 40)) -> str:
    """The sentence about a model that the check does not pass."""
    with pytest.raises(InputError) as caught:
        NepDescriptor.check(NepOptions(path=path), species)
    text = str(caught.value)
    assert text.startswith(f"descriptor.nep.path: '{path}' ")
    assert text.endswith(".")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(("orders", "angular"), [("4 2 1", 6), ("4 2 0", 5), ("4 0 0", 4), ("4", 4)])
def test_the_length_is_known_from_the_first_lines(tmp_path, orders, angular):
    """One number a radial function, and one an angular function and order (Fan et al. 2022, equation 12 and after)."""
    found = header(model(tmp_path, HEAD.replace("4 2 1", orders)))
    assert (found.elements, found.dimension, found.cutoff) == (("Cu", "Zr"), 5 + 4 * angular, 6.0)
    assert NepDescriptor.dimension(NepOptions(path=str(tmp_path / "nep.txt")), 7) == found.dimension


def test_the_cutoff_is_the_largest_of_all_elements(tmp_path):
    assert header(model(tmp_path, HEAD.replace("cutoff 6 5 274", "cutoff 5 4 7 5 274"))).cutoff == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no neuroevolution potential"),
        ("hello\n", "its first line is not that of nep4, nep4_zbl, nep5 or nep5_zbl"),
        (HEAD.replace("nep4_zbl", "nep4_dipole"), "its first line is not that of nep4"),
        (HEAD.replace("nep4_zbl 2", "nep4_zbl 3"), "its first line is not that of nep4"),
        (HEAD.replace("n_max 4 3\n", ""), "no line 'n_max'"),
        ("\xff\xfe", "cannot be read"),
    ],
)
def test_another_file_is_refused_in_one_sentence(tmp_path, text, words):
    path = tmp_path / "nep.txt"
    path.write_bytes(text.encode("latin-1"))
    assert words in refusal(str(path))


WHOLE = [
    (HEAD, NUMBERS),
    (HEAD.replace("zbl 1 2\n", "").replace("nep4_zbl", "nep4"), NUMBERS),
    (HEAD.replace("zbl 1 2", "zbl 0 0"), NUMBERS + 30),  # ten of each pair of elements
    (HEAD.replace("nep4_zbl", "nep5_zbl"), NUMBERS + 2),  # a bias of each element
]


@pytest.mark.parametrize(("head", "numbers"), WHOLE)
def test_a_model_lacks_not_one_number(tmp_path, head, numbers):
    NepDescriptor.check(NepOptions(path=model(tmp_path, head, numbers, end="\n")), [29, 40])
    assert f"is cut off: it has {numbers - 1} numbers instead of {numbers};" in refusal(
        model(tmp_path, head, numbers - 1)
    )


@pytest.mark.parametrize("line", ["\n", "one\n", "1.0 2.0\n", "nan\n"])
def test_a_line_that_is_no_number_is_refused(tmp_path, line):
    """Some of these end the process of nep-adapters, and nobody would know why."""
    path = model(tmp_path, HEAD + line, NUMBERS)
    assert "has a line that is no number" in refusal(path)


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


def test_a_missing_package_says_how_it_comes(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nep_adapters", None)
    with pytest.raises(InputError, match=r"^descriptor\.backend: nep-adapters is not installed; run `pip install nep-"):
        NepDescriptor(NepOptions(path=model(tmp_path)), [29, 40])


def moved(atoms: Atoms, atom: int, axis: int, step: float) -> Atoms:
    atoms = atoms.copy()
    atoms.positions[atom, axis] += step
    return atoms


@pytest.mark.parametrize("orders", ["4 2 1", "4 2 0", "4 0 1", "3"])
@pytest.mark.parametrize("pbc", [True, [True, True, False]])
def test_gradients_of_the_formulas_are_finite_differences(tmp_path, orders, pbc):
    length = 5 + 4 * (int(orders[0]) + orders.count(" 2") + orders.count(" 1"))
    numbers = NUMBERS + (2 * 80 + 1) * (length - 29)
    describe = Functions(model(tmp_path, HEAD.replace("4 2 1", orders), numbers))
    atoms = alloy()
    atoms.pbc = pbc
    found = np.zeros((4, 4, 3, length))  # of each atom's vector, by the position of each
    for one in describe(atoms):
        np.add.at(found[one.center], one.others, one.slopes)
        found[one.center, one.center] -= one.slopes.sum(axis=0)
    for atom in range(4):
        for axis in range(3):
            ahead, behind = (
                np.array([one.vector for one in describe(moved(atoms, atom, axis, step))]) for step in (1e-5, -1e-5)
            )
            expected = (ahead - behind) / 2e-5
            np.testing.assert_allclose(found[:, atom, axis], expected, atol=1e-8 * np.abs(found).max())


def test_formulas_of_models_with_cutoffs_of_each_element_are_unknown(tmp_path):
    with pytest.raises(InputError, match=r"^descriptor\.nep\.path: derivatives of '.*' are unknown; each element"):
        Functions(model(tmp_path, HEAD.replace("cutoff 6 5 274", "cutoff 5 4 7 5 274")))


@pytest.fixture(scope="module")
def nep89() -> Descriptor:
    pytest.importorskip("nep_adapters", reason="nep-adapters is not installed")
    if not Path(NEP89).is_file():
        pytest.skip("nep89.txt is not here; `make nep` fetches it")
    assert sha256(NEP89) == SUM
    options = DescriptorOptions(backend="nep", nep=NepOptions(path=NEP89))
    return Descriptor(options, PairKernelOptions(), [29, 40])


def described(descriptor: Descriptor, atoms: Atoms) -> np.ndarray:
    """The vectors of all atoms of a structure."""
    return described_by(descriptor._environments, atoms)


def described_by(member: NepDescriptor, atoms: Atoms) -> np.ndarray:
    return member(pack([atoms]), 0, np.arange(len(atoms)))


def test_vectors_are_those_of_the_program(nep89):
    from nep_adapters import NEPCalculator

    vectors = described(nep89, alloy())
    assert vectors.shape == (4, header(NEP89).dimension) == (4, 35)
    np.testing.assert_array_equal(vectors, NEPCalculator(NEP89).predict_descriptors([alloy()]))


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_crystal_has_the_same_vectors(nep89, change):
    np.testing.assert_allclose(described(nep89, change(alloy()))[:4], described(nep89, alloy()), atol=1e-14)


@pytest.mark.parametrize(("head", "numbers"), WHOLE)
def test_the_program_takes_a_model_that_lacks_not_one_number(nep89, tmp_path, head, numbers):
    describe = NepDescriptor(NepOptions(path=model(tmp_path, head, numbers)), [29, 40])
    assert described_by(describe, alloy()).shape == (4, 29)


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


@pytest.mark.parametrize("pbc", [True, [True, True, False]])
def test_derivatives_are_finite_differences(nep89, pbc):
    atoms = alloy()
    atoms.pbc = pbc
    check_sums(nep89._environments, atoms, tolerance=1e-6)


def test_derivatives_by_formulas_that_are_not_the_programs_are_refused(nep89, monkeypatch):
    monkeypatch.setattr(neuroevolution, "_FOUR_BODIES", 0.8)
    with pytest.raises(InputError, match=r"^descriptor\.nep\.path: derivatives of '.*' are unknown; its formulas are"):
        nep89.derivatives(pack([alloy()]), 0)


def test_a_lone_atom_has_no_vector_and_is_refused_but_others_are_compared(nep89):
    lonely = Atoms("Zr", cell=[30, 30, 30], pbc=True, info={"candidate": 4711})
    with pytest.raises(InputError, match=r"^candidate 4711: .*the reach of descriptor\.nep"):
        nep89.features(pack([lonely]))
    options = DescriptorOptions(backend="nep", nep=NepOptions(path=NEP89))
    table, radial = compare(pack([alloy(), alloy() * (1, 2, 1)]), [29, 40], options, KernelOptions(), ["nep"])
    assert (table["numbers"].item(), table["overlapping_share"].item(), len(radial)) == (35, 1.0, 0)
