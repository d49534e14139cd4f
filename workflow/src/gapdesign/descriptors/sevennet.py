"""Invariant features of atoms by a SevenNet model: one of those that its package brings, or one of your own.

Park et al., J. Chem. Theory Comput. 20, 4857 (2024); the network is NequIP's: Batzner et al., Nature Communications 13,
2453 (2022).
"""

from __future__ import annotations

import re
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
from gapdesign.files import sha256

if TYPE_CHECKING:
    from gapdesign.structures import Batch

_PATH = "descriptor.sevennet.path"


class SevenNetOptions(Options):
    """Options of the descriptor `sevennet`."""

    path: str = Field(
        "7net-0",
        min_length=1,
        description="Model: `7net-0`, `7net-0_22may2024`, `7net-l3i5` or `7net-mf-0`, which come with sevenn, or the"
        " file of a checkpoint of your own, as SevenNet's training saves it.",
    )
    layer: int | None = Field(
        None,
        ge=1,
        description="Layer whose features are used; the last if empty, from which energies are read. Each reaches one"
        " cut-off farther.",
    )
    modal: str | None = Field(
        None, description="Kind of labels whose features are used, of a model that was trained on several: `PBE`, say."
    )


class Header(NamedTuple):
    """What is known of a model without running it.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers.
    layers : tuple of tuple of int
        After each layer, the columns of the features that rotations do not change.
    modals : tuple of str
        Kinds of labels that it was trained on; empty if there is one kind.
    """

    elements: tuple[int, ...]
    layers: tuple[tuple[int, ...], ...]
    modals: tuple[str, ...] = ()


FOUNDATION = Header(tuple(z for z in range(1, 95) if not 84 <= z <= 88), (tuple(range(128)),) * 5)

SHIPPED = {
    "7net-0": (FOUNDATION, "7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36"),
    "7net-0_22may2024": (FOUNDATION, "5d389fafd512e6ae2830d74d0b66ffc49a55d3832653ff8e7bf7f1343013c1d1"),
    "7net-l3i5": (FOUNDATION, "a7ff190d41efe5b8317a03d20a468e4036a1a3e64e0b14fdbab64ac3f4bfc09d"),
    "7net-mf-0": (
        FOUNDATION._replace(modals=("R2SCAN", "PBE")),
        "81791329b37d445f46b531578c182c41792d98c7814222c9e5dde276402225fd",
    ),
}
"""Models in the package sevenn 0.13.0, with the SHA-256 of their files."""


class SevenNetDescriptor(TorchDescriptor):
    """Scalar features of the nodes of a SevenNet model after one of its layers, in double precision.

    A model without parity tells mirror images apart; vectors are then the mean of both. Every structure is a batch of
    its own, and the model is run by one thread and without optimisation at run time, so that its vectors do not depend
    on other structures.
    """

    name = "sevennet"
    summary = "invariant features of a SevenNet model: one that comes with its package, or one of your own"
    Options = SevenNetOptions
    environment = "sevennet"
    seconds = 1e-2
    reference = (
        "Y. Park et al., Scalable Parallel Algorithm for Graph Neural Network Interatomic Potentials in Molecular"
        " Dynamics Simulations, Journal of Chemical Theory and Computation 20, 4857 (2024)",
        "10.1021/acs.jctc.4c00190",
        "the features of the selection",
    )

    def __init__(self, options: SevenNetOptions, species: Sequence[int]) -> None:
        super().__init__(options, species)
        self.check(options, species)
        known = header(options.path)
        layer = options.layer or len(known.layers)
        self._model, self._is_mirrored = _model(options.path, _state(options.path))
        self._last = f"{layer - 1}_equivariant_gate"
        self._columns = list(known.layers[layer - 1])

    @classmethod
    def dimension(cls, options: SevenNetOptions, n_species: int) -> int:
        """Return the length of a vector, known without torch; the number of elements does not count.

        Raises
        ------
        InputError
            If there is no such file, it is no checkpoint of SevenNet's, or it has fewer layers.
        """
        layers = header(options.path).layers
        if options.layer is not None and options.layer > len(layers):
            raise InputError(
                f"descriptor.sevennet.layer: '{options.path}' has {len(layers)} layers and no layer {options.layer}."
            )
        return len(layers[(options.layer or len(layers)) - 1])

    @classmethod
    def files(cls, options: SevenNetOptions) -> tuple[str, ...]:
        """Return the file of the model, unless its name settles what is in it."""
        return () if options.path in SHIPPED else (options.path,)

    @classmethod
    def check(cls, options: SevenNetOptions, species: Sequence[int]) -> None:
        """Check that the model is whole and knows elements and kind of labels, before any job runs.

        Raises
        ------
        InputError
            If the file is missing, damaged or no checkpoint of SevenNet's, or lacks an element, a layer or a kind of
            labels.
        """
        cls.dimension(options, len(species))
        known = header(options.path)
        missing = [chemical_symbols[z] for z in species if z not in known.elements]
        if missing:
            raise InputError(f"{_PATH}: '{options.path}' knows no {missing[0]}; name another model.")
        if known.modals and options.modal not in known.modals:
            raise InputError(
                f"descriptor.sevennet.modal: '{options.path}' was trained on several kinds of labels; choose one of"
                f" {', '.join(known.modals)}."
            )
        if options.modal is not None and not known.modals:
            raise InputError(
                f"descriptor.sevennet.modal: '{options.path}' was trained on one kind of labels; leave this empty."
            )
        if options.path not in SHIPPED:
            refuse_damaged(options.path, _PATH)

    def _run(self, batch: Batch, k: int) -> Run:
        """Run the model; see :class:`.torch_models.TorchDescriptor`."""
        import torch
        from matscipy.neighbours import neighbour_list

        atoms = batch.atoms(k)
        i, j, shifts = neighbour_list("ijS", atoms, float(self._model.cutoff))
        strain, positions, shifted = strained(atoms.positions, shifts @ atoms.cell.array)
        edges = torch.from_numpy(np.stack([i, j]).astype(np.int64))
        bonds = positions[edges[1]] - positions[edges[0]] + shifted
        vectors = self._features(atoms.numbers, edges, bonds)
        if self._is_mirrored:  # through a point, which is a reflection and a rotation
            vectors = (vectors + self._features(atoms.numbers, edges, -bonds)) / 2
        return Run(positions, strain, vectors)

    def _features(self, numbers: np.ndarray, edges: Any, bonds: Any) -> Any:
        """Return the features (n, dimension) of atoms with bonds (m, 3) from and to those of ``edges`` (2, m)."""
        import torch
        from sevenn import _keys as key

        graph = {
            key.NODE_FEATURE: torch.tensor([self._model.type_map[z] for z in numbers.tolist()]),
            key.EDGE_IDX: edges,
            key.EDGE_VEC: bonds,
        }
        if self.options.modal is not None:
            graph[key.MODAL_TYPE] = torch.tensor(self._model.modal_map[self.options.modal])
        for name, module in self._model.named_children():
            graph = module(graph)
            if name == "onehot_idx_to_onehot":  # which gives single precision, whatever that of the model
                graph |= {each: graph[each].double() for each in (key.NODE_FEATURE, key.NODE_ATTR)}
            if name == self._last:
                return graph[key.NODE_FEATURE][:, self._columns]
        raise InputError(f"{_PATH}: '{self.options.path}' has no {self._last}; use sevenn 0.13.")


def header(path: str) -> Header:
    """Return elements, layers and kinds of labels of a model, without torch.

    Raises
    ------
    InputError
        If there is no such file, or it is no checkpoint of SevenNet's.
    """
    return SHIPPED[path][0] if path in SHIPPED else _header(path, _state(path))


@lru_cache(maxsize=2)
def _header(path: str, changed: int) -> Header:
    with stored(path, _PATH, "sevenn 0.13") as file:
        config = file.content["config"]
        count, irreps = config["num_convolution_layer"], config.get("irreps_manual")
        # Otherwise every kind of feature has as many, beginning with scalars of even parity.
        layers = [_invariants(each) for each in irreps[1:]] if irreps else [tuple(range(config["channel"]))] * count
        modals = config["_modal_map"] if config.get("use_modality") else ()
        return Header(tuple(sorted(config["_type_map"])), tuple(layers), tuple(modals))


def _invariants(irreps: str) -> tuple[int, ...]:
    """Return the columns of invariants among features such as `128x0e+64x1o`, of which gates put scalars first."""
    columns, start = [], 0
    for part in irreps.split("+"):
        count, momentum, parity = re.fullmatch(r"\s*(?:(\d+)x)?(\d+)([eo])\s*", part).groups()
        if momentum == "0":
            stop = start + int(count or 1)
            columns += range(start, stop) if parity == "e" else ()
            start = stop
    return tuple(columns)


def _state(path: str) -> int:
    """Return by what is known that a model is still the same: the date of its file, unless its name settles it."""
    return 0 if path in SHIPPED else when_written(path, _PATH)


@lru_cache(maxsize=2)
def _model(path: str, changed: int) -> tuple[Any, bool]:
    """Return the model, loaded once while the file stays the same, and whether it tells mirror images apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of e3nn, torch and its file formats, about each other
        try:
            from sevenn.util import load_checkpoint, pretrained_name_to_path
        except ImportError as error:
            raise InputError(
                "descriptor.backend: sevenn is not installed; run `pip install sevenn==0.13.0` (without CUDA: see"
                " docs/features.md), run the workflow with --sdm conda, or choose another one."
            ) from error
        try:
            file = pretrained_name_to_path(path) if path in SHIPPED else path
            if path in SHIPPED and sha256(file) != SHIPPED[path][1]:
                raise InputError(f"{_PATH}: '{path}' is not that of sevenn 0.13.0; run `pip install sevenn==0.13.0`.")
            _refuse_code(path, file)
            checkpoint = load_checkpoint(file)
            model = checkpoint.build_model().double().eval()
        except InputError:
            raise
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{_PATH}: '{path}' cannot be loaded: {reason}.") from error
    model.set_is_batch_data(False)
    for parameter in model.parameters():
        parameter.requires_grad = False
    _sharpen(model)
    return model, not checkpoint.config["is_parity"]


def _refuse_code(path: str, file: str) -> None:
    """Refuse a file that makes more than numbers and settings when it is loaded, as SevenNet then loads it unchecked.

    Raises
    ------
    InputError
        Naming what torch found.
    """
    import torch

    make = np._core.multiarray._reconstruct
    arrays = [make, (make, "numpy.core.multiarray._reconstruct"), np.ndarray, np.dtype]
    arrays += [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")]
    with torch.serialization.safe_globals(arrays):
        try:
            torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:
            found = re.search(r"GLOBAL (\S+)", str(error))
            named = found[1] if found else str(error).partition("\n")[0]
            raise InputError(
                f"{_PATH}: '{path}' holds more than numbers and settings ({named}), and loading it could run code;"
                " name a checkpoint as SevenNet saves it."
            ) from error


def _sharpen(model: Any) -> None:
    """Give a model the coupling coefficients in double precision; those in its file are rounded to single."""
    import torch
    from e3nn.o3 import wigner_3j

    for name, values in model.named_buffers():
        found = re.search(r"\._w3j_(\d+)_(\d+)_(\d+)$", name)
        if found:
            values.copy_(wigner_3j(*map(int, found.groups()), dtype=torch.float64))
