"""Models of torch: their files, read without torch and without running them, and vectors that repeat bit by bit."""

from __future__ import annotations

import io
import pickle
import zipfile
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gapdesign.descriptors.base import EnvironmentDescriptor, KernelFunctions
from gapdesign.errors import InputError
from gapdesign.voigt import VOIGT

if TYPE_CHECKING:
    from gapdesign.structures import Batch


class _Unread:
    """Stands for any object in a model's file, of which only what was stored is of interest; runs nothing."""

    def __new__(cls, *arguments: Any, **_: Any) -> _Unread:
        made = super().__new__(cls)
        made.arguments, made.state, made.items = arguments, {}, []
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *arguments: Any) -> _Unread:
        return type(self)(*arguments)

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        self.items.append(item)

    def extend(self, items: Any) -> None:
        self.items.extend(items)

    def modules(self) -> dict[str, _Unread]:
        """Parts of a module of torch's, by name."""
        return self.state["_modules"]


class _Reader(pickle.Unpickler):
    """Reads the objects of a model's file as shells, without importing or calling anything that it names."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return type(name, (_Unread,), {"__module__": module})

    def persistent_load(self, reference: Any) -> Any:
        return reference


class Stored(NamedTuple):
    """A file as torch saves it.

    Attributes
    ----------
    content
        The saved object, in which those of classes other than Python's own are shells that hold what was stored.
    archive : ZipFile
    folder : str
        In the archive, of everything stored.
    """

    content: Any
    archive: zipfile.ZipFile
    folder: str

    def numbers(self, key: str) -> bytes:
        """Return the numbers of a tensor, by the name of their file."""
        return self.archive.read(f"{self.folder}data/{key}")


@contextmanager
def stored(path: str, option: str, program: str) -> Iterator[Stored]:
    """Read a file without torch, and whatever is wrong with it, or unlike the program's files, as one sentence.

    Raises
    ------
    InputError
        If it is damaged or compiled, or something is not where the caller looks for it.
    """
    refused = f"{option}: '{path}' is"
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if any(each.endswith("/constants.pkl") for each in archive.namelist()):
                raise InputError(f"{refused} a compiled model; name the file that it was compiled from.")
            yield Stored(_Reader(io.BytesIO(archive.read(name))).load(), archive, name.removesuffix("data.pkl"))
    except InputError:
        raise
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{refused} damaged, or no file of torch's ({error}); copy it again.") from error
    except (pickle.UnpicklingError, ValueError, KeyError, AttributeError, TypeError, IndexError, EOFError) as error:
        raise InputError(
            f"{refused} not as {program} saves models ({type(error).__name__}: {error}); name another file."
        ) from error


def when_written(path: str, option: str) -> int:
    """Return when the file was written, by which what was read from it is kept.

    Raises
    ------
    InputError
        If there is no such file.
    """
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        raise InputError(
            f"{option}: no file '{path}'; paths start where snakemake is run. docs/features.md says where models are."
        ) from None


def refuse_damaged(path: str, option: str) -> None:
    """Compare every part of the file with its checksum.

    Raises
    ------
    InputError
        If one differs, or there is no such file.
    """
    wrong = _damaged(path, when_written(path, option))
    if wrong is not None:
        raise InputError(f"{option}: '{path}' is damaged ({wrong}); copy or fetch it again.")


@lru_cache(maxsize=2)
def _damaged(path: str, changed: int) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        return error


class Run(NamedTuple):
    """What a model makes of a structure, as tensors.

    Attributes
    ----------
    positions : (n, 3)
        Those of the strained structure.
    strain : (3, 3)
        Zero.
    vectors : (n, d)
        Computed from both, of any length.
    """

    positions: Any
    strain: Any
    vectors: Any


class TorchDescriptor(EnvironmentDescriptor):
    """Base of descriptors whose vectors a model of torch computes, which it also differentiates."""

    has_derivatives = True

    @abstractmethod
    def _run(self, batch: Batch, k: int) -> Run:
        """Run the model on a structure."""

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        import torch

        with reproducibly(), torch.no_grad():
            return self._run(batch, k).vectors.numpy()[centers]

    def sums(self, batch: Batch, k: int, functions: KernelFunctions | None = None) -> dict[int, np.ndarray]:
        """Sum functions of the vectors, and differentiate the sums; see :class:`EnvironmentDescriptor`."""
        with reproducibly():
            return _sums(self._run(batch, k), batch.atoms(k).numbers, functions)


@contextmanager
def reproducibly() -> Iterator[None]:
    """Run models by one thread, and without the optimiser that learns from one structure to the next."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.jit.optimized_execution(False):
            yield
    finally:
        torch.set_num_threads(threads)


def strained(positions: np.ndarray, lattice: np.ndarray) -> tuple[Any, Any, Any]:
    """Return a strain (3, 3) of zero, and positions (n, 3) and vectors of the lattice (m, 3) that follow it."""
    import torch

    strain = torch.zeros((3, 3), dtype=torch.float64, requires_grad=True)
    deformed = torch.eye(3, dtype=torch.float64) + strain
    return strain, torch.tensor(positions) @ deformed.T, torch.from_numpy(lattice) @ deformed.T


def _sums(run: Run, numbers: np.ndarray, functions: KernelFunctions | None) -> dict[int, np.ndarray]:
    """Sum functions of vectors, each of unit length, around the n atoms of each species, and differentiate.

    Returns
    -------
    dict of int to (1 + 6 + 3 n, m)
        See :meth:`gapdesign.descriptors.EnvironmentDescriptor.sums`.
    """
    import torch

    units = run.vectors / run.vectors.norm(dim=1, keepdim=True)
    found = {}
    for z in np.unique(numbers).tolist():
        own = units[torch.from_numpy(numbers == z)]
        if functions is not None:
            own = (own @ torch.from_numpy(functions.points[z]).double().T) ** functions.zeta
        sums = own.sum(dim=0)
        # A product with any weights, and its derivatives by those: one pass a coordinate, and not one a component.
        weights = torch.zeros_like(sums, requires_grad=True)
        by_strain, by_positions = torch.autograd.grad(sums, (run.strain, run.positions), weights, create_graph=True)
        strains = [(by_strain[a, b] + by_strain[b, a]) / 2 for a, b in VOIGT]
        rows = [torch.autograd.grad(one, weights, retain_graph=True)[0] for one in (*strains, *by_positions.flatten())]
        found[z] = torch.stack([sums.detach(), *rows]).numpy()
    return found
