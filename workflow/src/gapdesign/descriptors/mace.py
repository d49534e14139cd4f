"""Invariant features of atoms by a MACE model, such as a foundation model or one of your own.

Batatia et al., Advances in Neural Information Processing Systems 35 (2022); arXiv:2206.07697.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.torch_models import (
    Run,
    TorchDescriptor,
    refuse_damaged,
    stored,
    strained,
    when_written,
)
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.structures import Batch

_PATH = "descriptor.mace.path"

MISSING = (
    "mace-torch is not installed; run `pip install mace-torch==0.3.16` (without CUDA: see docs/features.md), run the"
    " workflow with --sdm conda, or choose another one."
)
"""What a message says, after a key of the configuration, where the program is missing."""

KINDS = ("MACE", "ScaleShiftMACE")
"""Classes of models of energies. Others also need charges, spins or fields, which candidates do not have."""


class MaceOptions(Options):
    """Options of the descriptor `mace`."""

    path: str = Field(
        "mace.model",
        min_length=1,
        description="File of the model, as MACE's training saves it: your own, or a foundation model. Loading it runs"
        " code that it holds, so use files of people whom you trust.",
    )
    layers: int | None = Field(
        None, ge=1, description="Layers whose features are used, from the first; all if empty. Each reaches farther."
    )


class Layer(NamedTuple):
    """Features of an atom after one layer: how many there are, and which are invariant."""

    width: int
    invariants: tuple[int, ...]


class Header(NamedTuple):
    """What a model's file says.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers.
    layers : tuple of Layer
    heads : tuple of str
        Sets of labels that it was trained on, of which each has energies of its own.
    """

    elements: tuple[int, ...]
    layers: tuple[Layer, ...]
    heads: tuple[str, ...]


class MaceDescriptor(TorchDescriptor):
    """Scalar features of the nodes of a MACE model after each layer, in double precision.

    Every structure is a batch of its own, and the model is run by one thread and without optimisation at run time, so
    that its vectors do not depend on other structures.
    """

    name = "mace"
    summary = "invariant features of a MACE model: a foundation model, or one of your own"
    Options = MaceOptions
    environment = "mace"
    seconds = 3e-3
    reference = (
        "I. Batatia et al., MACE: Higher Order Equivariant Message Passing Neural Networks for Fast and Accurate Force"
        " Fields, Advances in Neural Information Processing Systems 35 (2022)",
        "10.48550/arXiv.2206.07697",
        "the features of the selection",
    )

    def __init__(self, options: MaceOptions, species: Sequence[int]) -> None:
        super().__init__(options, species)
        self.check(options, species)
        self._model = load(options.path, _PATH, "descriptor.backend")
        self._known = header(options.path).elements
        self._columns = _columns(options)

    @classmethod
    def dimension(cls, options: MaceOptions, n_species: int) -> int:
        """Return the length of a vector, read from the file without torch; the number of elements does not count.

        Raises
        ------
        InputError
            If there is no such file, it is no model of MACE's, or it has fewer layers.
        """
        return len(_columns(options))

    @classmethod
    def files(cls, options: MaceOptions) -> tuple[str, ...]:
        """Return the file of the model; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        return (options.path,)

    @classmethod
    def check(cls, options: MaceOptions, species: Sequence[int]) -> None:
        """Check that the model is whole and knows the elements, before any job runs.

        Raises
        ------
        InputError
            If the file is missing, damaged or no model of MACE's, or lacks an element or a layer.
        """
        cls.dimension(options, len(species))
        missing = [chemical_symbols[z] for z in species if z not in header(options.path).elements]
        if missing:
            raise InputError(f"{_PATH}: '{options.path}' knows no {missing[0]}; name another model.")
        refuse_damaged(options.path, _PATH)

    def _run(self, batch: Batch, k: int) -> Run:
        """Run the model; see :class:`.torch_models.TorchDescriptor`."""
        atoms = batch.atoms(k)
        structure = graph(atoms, self._known, float(self._model.r_max))
        strain, positions, shifts = strained(atoms.positions, structure["shifts"].numpy())
        structure |= {"positions": positions, "shifts": shifts}
        features = self._model(structure, compute_force=False)["node_feats"]
        return Run(positions, strain, features[:, self._columns])


def graph(atoms: Atoms, known: Sequence[int], r_max: float) -> dict[str, Any]:
    """Return a structure as a model takes it: a batch of one, of double precision.

    Parameters
    ----------
    atoms : Atoms
    known : sequence of int
        Atomic numbers of the model, in its order.
    r_max : float
        Its cut-off in angstrom.
    """
    import torch
    from matscipy.neighbours import neighbour_list

    # Directions without a period need no vector, but neighbours are sought in cells with a volume.
    cell = atoms.cell.complete().array
    i, j, shifts = neighbour_list("ijS", positions=atoms.positions, cell=cell, pbc=atoms.pbc, cutoff=r_max)
    kinds = np.array([known.index(z) for z in atoms.numbers])
    return {
        "positions": torch.tensor(atoms.positions),
        "node_attrs": torch.eye(len(known), dtype=torch.float64)[torch.from_numpy(kinds)],
        "edge_index": torch.from_numpy(np.stack([i, j]).astype(np.int64)),
        "shifts": torch.from_numpy(shifts @ cell),
        "unit_shifts": torch.from_numpy(shifts.astype(float)),
        "cell": torch.from_numpy(cell),
        "batch": torch.zeros(len(atoms), dtype=torch.int64),
        "ptr": torch.tensor([0, len(atoms)]),
    }


def header(path: str, option: str = _PATH) -> Header:
    """Read elements, layers and heads of a model from its file, without torch and without running what it holds.

    Parameters
    ----------
    path : str
    option : str
        Key of the configuration that names the file, for messages.

    Raises
    ------
    InputError
        If there is no such file, or it is no model of MACE's.
    """
    return _header(path, option, when_written(path, option))


@lru_cache(maxsize=2)
def _header(path: str, option: str, changed: int) -> Header:
    refused = f"{option}: '{path}' is"
    with stored(path, option, "mace-torch 0.3") as file:
        model = file.content
        kind = type(model).__name__
        if kind not in KINDS or not type(model).__module__.startswith("mace."):
            raise InputError(f"{refused} no model of energies by MACE, but of the class {kind}; name another file.")
        if "embedding_specs" in model.state:
            raise InputError(f"{refused} a model that needs charges or spins; name another file.")
        numbers = model.state["_buffers"]["atomic_numbers"].arguments
        (_, _, key, *_), offset, (count,) = numbers[:3]
        products = model.modules()["products"].modules()
        shapes = [each.modules()["linear"].state["irreps_out"] for _, each in sorted(products.items(), key=_in_order)]
        elements = np.frombuffer(file.numbers(key), "<i8")[offset : offset + count].tolist()
        return Header(tuple(elements), tuple(map(_layer, shapes)), tuple(model.state.get("heads") or ()))


def _in_order(item: tuple[str, Any]) -> int:
    return int(item[0])


def _layer(irreps: Any) -> Layer:
    """Return the features that irreducible representations stand for; scalars of even parity are invariant."""
    width, invariants = 0, []
    for part in irreps.arguments[0]:
        multiplicity, irrep = part.arguments[0]
        momentum, parity = irrep.arguments[0]
        if (momentum, parity) == (0, 1):
            invariants.extend(range(width, width + multiplicity))
        width += multiplicity * (2 * momentum + 1)
    return Layer(width, tuple(invariants))


def _columns(options: MaceOptions) -> list[int]:
    """Return the columns of the invariants among the features of all layers."""
    layers = header(options.path).layers
    wanted = len(layers) if options.layers is None else options.layers
    if wanted > len(layers):
        raise InputError(f"descriptor.mace.layers: '{options.path}' has {len(layers)} layers and not {wanted}.")
    columns, start = [], 0
    for layer in layers[:wanted]:
        columns += [start + column for column in layer.invariants]
        start += layer.width
    return columns


def load(path: str, option: str, wanted: str) -> Any:
    """Return a model in double precision, loaded once for as long as its file stays the same.

    This runs code that the file holds.

    Parameters
    ----------
    path : str
    option : str
        Key of the configuration that names the file.
    wanted : str
        Key of the configuration for which mace-torch is needed.

    Raises
    ------
    InputError
        If the file is missing or cannot be loaded, or mace-torch is missing.
    """
    return _load(path, option, wanted, when_written(path, option))


@lru_cache(maxsize=2)
def _load(path: str, option: str, wanted: str, changed: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of e3nn and torch, about each other
        try:
            import mace.modules  # noqa: F401  # before e3nn, whose own file torch refuses otherwise
            import torch
        except ImportError as error:
            raise InputError(f"{wanted}: {MISSING}") from error
        try:
            model = torch.load(path, map_location="cpu", weights_only=False).double().eval()
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{option}: '{path}' cannot be loaded: {reason}.") from error
    for parameter in model.parameters():
        parameter.requires_grad = False
    return model
