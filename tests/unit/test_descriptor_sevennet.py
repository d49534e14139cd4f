"""Invariants of SevenNet models: what a file says, without torch, and vectors by sevenn.

Vectors need sevenn, in an environment of its own: see docs/features.md. Small models are made here, from a fixed seed;
one that comes with sevenn is tried too.
"""

from __future__ import annotations

import os
import pickle
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from finite_differences import check_sums
from gapdesign.config.study import check, parse
from gapdesign.descriptors import Descriptor
from gapdesign.descriptors.kernel import PairKernelOptions
from gapdesign.descriptors.options import DescriptorOptions
from gapdesign.descriptors.sevennet import SHIPPED, SevenNetDescriptor, SevenNetOptions, _header, header
from gapdesign.errors import InputError
from gapdesign.structures import pack
from same_crystal import CHANGES, alloy

SPECIES = [29, 40]


@pytest.fixture
def fake(tmp_path):
    """A function that writes a file like a checkpoint, with nothing of torch's in it."""

    def write(cut: int = 0, content: object = None, **more: object) -> str:
        config = {"_type_map": {40: 1, 29: 0}, "channel": 4, "num_convolution_layer": 2, "irreps_manual": False, **more}
        path = tmp_path / "mine.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mine/data.pkl", pickle.dumps(content or {"config": config}))
        path.write_bytes(path.read_bytes()[: -cut or None])
        return str(path)

    return write


def test_elements_and_layers_are_known_without_torch(fake):
    """Gates put scalars first; those of odd parity change in a mirror, so that they are not invariant."""
    path = fake()
    assert header(path) == ((29, 40), ((0, 1, 2, 3), (0, 1, 2, 3)), ())
    path = fake(irreps_manual=["4x0e", "2x1o+3x0o+ 2x0e+1o", "0e + 5x0e"], _modal_map={"PBE": 0, "SCAN": 1})
    os.utime(path, (1, 1))
    assert header(path) == ((29, 40), ((3, 4), (0, 1, 2, 3, 4, 5)), ())
    assert SevenNetDescriptor.dimension(SevenNetOptions(path=path), 2) == 6
    assert SevenNetDescriptor.dimension(SevenNetOptions(path=path, layer=1), 7) == 2
    SevenNetDescriptor.check(SevenNetOptions(path=path), SPECIES)


def test_models_of_the_package_are_known_without_it():
    """So that a study can be planned where sevenn is not installed; a name settles the content of the file."""
    for path in SHIPPED:
        assert SevenNetDescriptor.dimension(SevenNetOptions(path=path), 2) == 128
        assert SevenNetDescriptor.files(SevenNetOptions(path=path)) == ()
    assert SevenNetDescriptor.files(SevenNetOptions(path="mine.pth")) == ("mine.pth",)
    SevenNetDescriptor.check(SevenNetOptions(), [1, 40, 94])
    SevenNetDescriptor.check(SevenNetOptions(path="7net-mf-0", modal="PBE"), SPECIES)
    assert refusal("7net-0", (40, 84)) == "descriptor.sevennet.path: '7net-0' knows no Po; name another model."
    assert refusal("7net-l3i5", layer=6).endswith("'7net-l3i5' has 5 layers and no layer 6.")
    assert refusal("7net-mf-0").endswith("was trained on several kinds of labels; choose one of R2SCAN, PBE.")
    assert refusal("7net-mf-0", modal="SCAN").endswith("choose one of R2SCAN, PBE.")
    assert refusal("7net-0", modal="PBE").endswith("was trained on one kind of labels; leave this empty.")


def refusal(path: str, species: tuple[int, ...] = (29, 40), **options: object) -> str:
    """The sentence about a model that the check does not pass."""
    with pytest.raises(InputError) as caught:
        SevenNetDescriptor.check(SevenNetOptions(path=path, **options), species)
    text = str(caught.value)
    assert text.startswith("descriptor.sevennet.")
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_files_that_are_no_checkpoints_are_refused_in_one_sentence(fake, tmp_path):
    assert "no file '7net-omni'" in refusal("7net-omni")
    assert "is damaged" in refusal(fake(cut=30))
    assert "is not as sevenn 0.13 saves models (KeyError: 'config')" in refusal(fake(content={"model": 1}))
    assert "is not as sevenn 0.13 saves models" in refusal(fake(irreps_manual=["4x0e", "4 scalars"]))
    with zipfile.ZipFile(fake(), "a") as archive:
        archive.writestr("mine/constants.pkl", b"")
    assert "is a compiled model" in refusal(str(tmp_path / "mine.pth"))


def test_a_model_that_lacks_an_element_is_found_before_any_job(fake):
    study = {
        "prototypes": {"hcp": {"element": "Ti", "lattice": "hcp", "a": 2.95, "c": 4.68}},
        "designs": {"OPT": {"pool": "A", "method": "maxmin"}},
        "descriptor": {"backend": "sevennet", "sevennet": {"path": fake()}},
    }
    with pytest.raises(InputError, match=r"^descriptor\.sevennet\.path: '.*mine\.pth' knows no Ti; name another"):
        check(parse(study))
    study["prototypes"]["hcp"]["element"] = "Zr"
    check(parse(study))


def test_a_missing_package_says_how_it_comes(fake, monkeypatch):
    monkeypatch.setitem(sys.modules, "sevenn", None)
    monkeypatch.setitem(sys.modules, "sevenn.util", None)
    with pytest.raises(InputError, match=r"^descriptor\.backend: sevenn is not installed; run `pip install sevenn=="):
        SevenNetDescriptor(SevenNetOptions(path=fake()), SPECIES)


MODELS = {
    "parity": {"is_parity": True, "lmax": 2, "num_convolution_layer": 3},
    "rotations": {"is_parity": False, "lmax": 1, "num_convolution_layer": 3, "self_connection_type": "linear"},
    "manual": {"is_parity": True, "irreps_manual": ["4x0e", "3x0e+3x0o+2x1o+2x1e", "5x0e"], "num_convolution_layer": 2},
    "modal": {
        "use_modality": True,
        "use_modal_self_inter_intro": True,
        "_modal_map": {"R2SCAN": 0, "PBE": 1},
        "_number_of_modalities": 2,
        "use_modal_wise_shift": False,
        "use_modal_wise_scale": False,
        "num_convolution_layer": 2,
    },
}
"""Small models, by what they differ in from SevenNet's defaults."""


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory) -> str:
    """The file of a small model, of random weights."""
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("sevenn", reason="sevenn is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of e3nn, torch and sevenn, about each other
        return _saved(request.param, tmp_path_factory.mktemp("models"))


def _saved(name: str, folder: Path) -> str:
    import sevenn
    import torch
    from sevenn._const import model_defaults
    from sevenn.model_build import build_E3_equivariant_model
    from sevenn.util import chemical_species_preprocess

    config = chemical_species_preprocess(["Cu", "Zr"])
    config |= {**model_defaults({}), "version": sevenn.__version__, "cutoff": 5.0, "channel": 4}
    config |= {"radial_basis": {"radial_basis_name": "bessel", "bessel_basis_num": 6}, "weight_nn_hidden_neurons": [8]}
    config |= {"cutoff_function": {"cutoff_function_name": "poly_cut", "poly_cut_p_value": 6}}
    config |= {"conv_denominator": 20.0, "shift": -1.0, "scale": 1.0, **MODELS[name]}
    torch.manual_seed(0)
    path = folder / f"{name}.pth"
    torch.save({"model_state_dict": build_E3_equivariant_model(config).state_dict(), "config": config}, path)
    return str(path)


def options_of(model: str, **more: object) -> SevenNetOptions:
    modal = "PBE" if Path(model).stem == "modal" else None
    return SevenNetOptions(path=model, modal=modal, **more)


@pytest.fixture
def member(model) -> SevenNetDescriptor:
    return SevenNetDescriptor(options_of(model), SPECIES)


def described(member: SevenNetDescriptor, atoms: Atoms) -> np.ndarray:
    """The vectors (n, dimension) of all atoms of a structure, of unit length."""
    return units(member(pack([atoms]), 0, np.arange(len(atoms))))


def units(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1)[:, None]


def test_vectors_are_the_invariants_of_sevenn_itself(model):
    """After every layer, by its own calculator and its own names of features; it computes in single precision."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sevenn.calculator import SevenNetCalculator

        calculator = SevenNetCalculator(model, device="cpu", modal=options_of(model).modal)
    gates = [module for name, module in calculator.model.named_children() if name.endswith("_equivariant_gate")]
    found = []
    for gate in gates:
        gate.register_forward_hook(lambda _, __, graph: found.append(graph["x"].detach().numpy()))
    inverted = alloy()
    inverted.set_cell(-inverted.cell[:], scale_atoms=True)
    for atoms in (alloy(), inverted):
        calculator.calculate(atoms)
    assert len(found) == 2 * len(gates) == 2 * len(header(model).layers)
    for number, gate in enumerate(gates):
        irreps = gate.gate.irreps_out
        even = [part for part, (_, irrep) in zip(irreps.slices(), irreps, strict=True) if str(irrep) == "0e"]
        theirs, images = (
            np.concatenate([rows[:, part] for part in even], axis=1) for rows in found[number :: len(gates)]
        )
        member = SevenNetDescriptor(options_of(model, layer=number + 1), SPECIES)
        assert theirs.shape == (4, member.dimension(member.options, 2))
        scale = np.abs(theirs).max()
        if MODELS[Path(model).stem].get("is_parity", True):
            np.testing.assert_allclose(images, theirs, atol=1e-5 * scale)
        ours = member(pack([alloy()]), 0, np.arange(4))
        np.testing.assert_allclose(ours, (theirs + images) / 2, atol=1e-5 * scale)
    last = SevenNetDescriptor(options_of(model), SPECIES)
    assert last(pack([alloy()]), 0, np.arange(4)).tobytes() == ours.tobytes()


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_crystal_has_the_same_vectors(member, change):
    np.testing.assert_allclose(described(member, change(alloy()))[:4], described(member, alloy()), atol=1e-13)


def test_order_changes_nothing_and_another_crystal_something(member):
    order = [2, 0, 3, 1]
    vectors = described(member, alloy())
    np.testing.assert_allclose(described(member, alloy()[order]), vectors[order], atol=1e-13)
    moved = alloy()
    moved.positions[0] += [0.05, 0, 0]
    assert np.abs(described(member, moved) - vectors).max() > 1e-5


def test_batches_and_shards_change_no_bit(model):
    """Also when a structure comes several times, which is when torch's compiler would begin to optimise."""
    options = DescriptorOptions(backend="sevennet", sevennet=options_of(model))
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
    np.testing.assert_allclose(described(member, tight), described(member, wide), atol=1e-13)


def test_an_atom_without_neighbours_has_a_vector(member):
    apart = Atoms("CuZr", [[0, 0, 0], [0, 0, 9]], cell=[20, 20, 20])
    assert np.isfinite(described(member, apart)).all()


def test_derivatives_are_finite_differences(member):
    check_sums(member, alloy(), tolerance=1e-8)


@pytest.mark.parametrize("model", ["modal"], indirect=True)
def test_kinds_of_labels_have_vectors_of_their_own(model):
    first, second = (SevenNetDescriptor(SevenNetOptions(path=model, modal=kind), SPECIES) for kind in ("PBE", "R2SCAN"))
    assert np.abs(described(first, alloy()) - described(second, alloy())).max() > 1e-3


class _Code:
    """What loading turns into a call."""

    def __reduce__(self):
        return os.system, ("true",)


def test_a_file_that_would_run_code_is_refused(model, tmp_path):
    import torch

    path = tmp_path / "bad.pth"
    content = torch.load(model, weights_only=True)
    torch.save({**content, "more": _Code()}, path)
    with pytest.raises(InputError, match=r"holds more than numbers and settings \(posix\.system\), and loading it"):
        SevenNetDescriptor(SevenNetOptions(path=str(path), modal=options_of(model).modal), SPECIES)


@pytest.fixture(scope="module")
def foundation() -> SevenNetDescriptor:
    pytest.importorskip("sevenn", reason="sevenn is not installed")
    return SevenNetDescriptor(SevenNetOptions(), SPECIES)


def test_files_of_the_package_say_what_is_known_without_them(foundation):
    from sevenn.util import pretrained_name_to_path

    for name, (known, _) in SHIPPED.items():
        assert _header(pretrained_name_to_path(name), 0) == known


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_crystal_is_the_same_to_a_foundation_model(foundation, change):
    """Coupling coefficients that its file rounds to single precision, and images of a mirror, would differ."""
    vectors = described(foundation, alloy())
    assert vectors.shape == (4, 128)
    np.testing.assert_allclose(described(foundation, change(alloy()))[:4], vectors, atol=1e-13)
