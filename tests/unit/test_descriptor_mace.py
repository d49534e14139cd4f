"""Invariants of MACE models: what a file says, without torch, and the vectors of small models by mace-torch.

Vectors need mace-torch, in an environment of its own: see docs/features.md. Models are made here, from a fixed seed.
"""

from __future__ import annotations

import sys
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from finite_differences import check_sums
from gapdesign.config.study import check, parse
from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.kernel import PairKernelOptions
from gapdesign.descriptors.mace import Layer, MaceDescriptor, MaceOptions, header
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.errors import InputError
from gapdesign.structures import pack
from mace_files import written
from same_crystal import CHANGES, alloy

SPECIES = [29, 40]


@pytest.fixture
def fake(tmp_path) -> Callable[..., str]:
    """A function that writes a file like a model's."""
    return partial(written, tmp_path)


def test_elements_and_layers_are_known_without_torch(fake):
    """Scalars of odd parity change in a mirror, so that they are not invariant."""
    path = fake()
    assert header(path).elements == (29, 40)
    assert header(path).layers == (Layer(16, (0, 1, 2, 3)), Layer(13, (9, 10, 11, 12)))
    assert MaceDescriptor.dimension(MaceOptions(path=path), 2) == 8
    assert MaceDescriptor.dimension(MaceOptions(path=path, layers=1), 7) == 4
    MaceDescriptor.check(MaceOptions(path=path), SPECIES)


def refusal(path: str, species: tuple[int, ...] = (29, 40), **options: int) -> str:
    """The sentence about a model that the check does not pass."""
    with pytest.raises(InputError) as caught:
        MaceDescriptor.check(MaceOptions(path=path, **options), species)
    text = str(caught.value)
    assert text.startswith("descriptor.mace.")
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_files_that_are_no_models_are_refused_in_one_sentence(fake, tmp_path):
    assert "no file 'none.model'" in refusal("none.model")
    assert "is no model of energies by MACE, but of the class PolarMACE" in refusal(fake("PolarMACE"))
    assert "needs charges or spins" in refusal(fake(embedding_specs={"total_charge": {}}))
    assert "is damaged" in refusal(fake(cut=30))
    text = tmp_path / "text.model"
    text.write_text("hello")
    assert "is damaged" in refusal(str(text))
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("x/other", "")
    assert "is not as mace-torch 0.3 saves models" in refusal(str(text))


def test_a_flipped_bit_is_noticed(fake):
    path = Path(fake())
    content = bytearray(path.read_bytes())
    content[content.index(np.int64(40).tobytes())] ^= 2
    path.write_bytes(content)
    assert "is damaged" in refusal(str(path))


def test_a_model_that_lacks_a_layer_or_an_element_is_found_before_any_job(fake):
    path = fake()
    assert refusal(path, layers=3).endswith(" has 2 layers and not 3.")
    study = {
        "prototypes": {"hcp": {"element": "Ti", "lattice": "hcp", "a": 2.95, "c": 4.68}},
        "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
        "descriptor": {"backend": "mace", "mace": {"path": path}},
    }
    with pytest.raises(InputError, match=r"^descriptor\.mace\.path: '.*mine\.model' knows no Ti; name another model\."):
        check(parse(study))
    study["prototypes"]["hcp"]["element"] = "Zr"
    check(parse(study))


def test_a_missing_package_says_how_it_comes(fake, monkeypatch):
    path = fake()
    monkeypatch.setitem(sys.modules, "mace", None)
    monkeypatch.setitem(sys.modules, "mace.modules", None)
    with pytest.raises(InputError, match=r"^descriptor\.backend: mace-torch is not installed; run `pip install mace-"):
        MaceDescriptor(MaceOptions(path=path), SPECIES)


HIDDEN = {"8x0e+8x1o": ("float64", 16), "4x0e+4x1o+4x2e": ("float32", 8), "8x0e": ("float64", 16)}
"""Features of a layer, with the precision of the model and the number of invariants of its two layers."""


@pytest.fixture(scope="module", params=HIDDEN)
def model(request, tmp_path_factory) -> str:
    """The file of a small model, of random weights."""
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("mace", reason="mace-torch is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of e3nn, mace and torch, about each other
        return _saved(request.param, tmp_path_factory.mktemp("models"))


def _saved(hidden: str, folder: Path) -> str:
    import mace.modules as modules
    import torch
    from e3nn import o3

    before = torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, HIDDEN[hidden][0]))
    made = modules.ScaleShiftMACE(
        r_max=5.0,
        num_bessel=6,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=modules.interaction_classes["RealAgnosticInteractionBlock"],
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps(hidden),
        MLP_irreps=o3.Irreps("4x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=np.array([-1.0, -2.0]),
        avg_num_neighbors=20,
        atomic_numbers=SPECIES,
        correlation=2,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )
    path = folder / f"{hidden}.model"
    torch.save(made, path)
    torch.set_default_dtype(before)
    return str(path)


@pytest.fixture
def member(model) -> MaceDescriptor:
    return MaceDescriptor(MaceOptions(path=model), SPECIES)


def described(member: MaceDescriptor, atoms: Atoms) -> np.ndarray:
    """The vectors (n, dimension) of all atoms of a structure, of unit length."""
    return units(member(pack([atoms]), 0, np.arange(len(atoms))))


def units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def test_vectors_are_the_invariants_of_mace_itself(model, member):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mace.calculators import MACECalculator

        theirs = MACECalculator(model_paths=model, device="cpu", default_dtype="float64")
    expected = theirs.get_descriptors(alloy(), invariants_only=True)
    hidden = Path(model).stem
    assert expected.shape == (4, HIDDEN[hidden][1]) == (4, member.dimension(member.options, 2))
    np.testing.assert_allclose(member(pack([alloy()]), 0, np.arange(4)), expected, atol=1e-13)
    first = MaceDescriptor(MaceOptions(path=model, layers=1), SPECIES)
    expected = theirs.get_descriptors(alloy(), invariants_only=True, num_layers=1)
    np.testing.assert_allclose(first(pack([alloy()]), 0, np.arange(4)), expected, atol=1e-13)


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_crystal_has_the_same_vectors(model, member, change):
    """Coefficients that a model in single precision brings with it are exact to that only."""
    tolerance = 1e-12 if HIDDEN[Path(model).stem][0] == "float64" else 1e-6
    np.testing.assert_allclose(described(member, change(alloy()))[:4], described(member, alloy()), atol=tolerance)


def test_order_changes_nothing_and_another_crystal_something(member):
    order = [2, 0, 3, 1]
    vectors = described(member, alloy())
    np.testing.assert_allclose(described(member, alloy()[order]), vectors[order], atol=1e-12)
    moved = alloy()
    moved.positions[0] += [0.05, 0, 0]
    assert np.abs(described(member, moved) - vectors).max() > 1e-5


def test_batches_and_shards_change_no_bit(model):
    """Also when a structure comes several times, which is when torch's compiler would begin to optimise."""
    options = DescriptorOptions(backend="mace", mace=MaceOptions(path=model))
    describe = Descriptor(options, PairKernelOptions(), SPECIES)
    batch = pack([alloy(), alloy() * (1, 1, 3), alloy(), alloy(), alloy() * (2, 1, 1), alloy()])
    together = describe.features(batch)
    alone = np.concatenate([describe.features(batch.take([k])) for k in range(6)])
    backwards = describe.features(batch.take(range(5, -1, -1)))[::-1]
    assert together.tobytes() == alone.tobytes() == backwards.tobytes()
    assert together[0].tobytes() == together[5].tobytes()


def test_a_slab_has_no_images(member):
    tight, wide = alloy(), alloy()
    for atoms, length in ((tight, 1), (wide, 6)):
        atoms.pbc = [True, True, False]
        atoms.set_cell(atoms.cell[:] * np.array([1, 1, length])[:, None])
    np.testing.assert_allclose(described(member, tight), described(member, wide), atol=1e-12)


def test_derivatives_are_finite_differences(member):
    check_sums(member, alloy(), tolerance=1e-6)
