"""Basis functions of the atomic cluster expansion by ace-jax.

Drautz, Phys. Rev. B 99, 014104 (2019); the basis is that of ACEpotentials.jl, Witt et al., J. Chem. Phys. 159, 164101
(2023).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations_with_replacement, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from pydantic import Field

from gapdesign.config.options import Options
from gapdesign.descriptors.base import EnvironmentDescriptor, Slopes
from gapdesign.errors import InputError

if TYPE_CHECKING:
    from gapdesign.structures import Batch

ATOMS = 8
"""Atoms that are described at once; fewer are filled up, so that there is one shape to compile."""

FEWEST_NEIGHBOURS = 64
"""Neighbours for which there is room around an atom; where an atom has more, room is doubled."""

WEIGHT = 1.5
"""Degree of one unit of angular momentum, relative to one radial function: the default of ACEpotentials."""

HEAVIEST = 94
"""Largest atomic number that ace-jax knows."""


class AceOptions(Options):
    """Options of the descriptor `ace`."""

    order: int = Field(3, ge=1, le=4, description="Largest number of neighbours in a product (body order minus one).")
    degree: int = Field(
        12,
        ge=1,
        le=30,
        description="Largest total degree of a product: the sum of n / elements + 1.5 l over its factors. 12, 16 and 19"
        " give 211, 668 and 1429 numbers for one element.",
    )
    r_cut: float = Field(5.0, gt=0, le=30, description="Radius of an environment, in angstrom.")


class AceDescriptor(EnvironmentDescriptor):
    """Products of the atomic cluster expansion that rotations leave alone, without the pair potential beside them.

    A structure is described by itself, in blocks of one shape, so that its vectors do not depend on others. Products
    of one factor are sums over pairs; the separate pair basis of ace-jax, with its repulsive envelope, is left out.
    """

    name = "ace"
    summary = "basis of the atomic cluster expansion, by ace-jax"
    Options = AceOptions
    environment = "ace"
    has_derivatives = True
    seconds = 1e-3
    reference = (
        "W. C. Witt et al., ACEpotentials.jl: A Julia implementation of the atomic cluster expansion, The Journal of"
        " Chemical Physics 159, 164101 (2023)",
        "10.1063/5.0158783",
        "the features of the selection",
    )

    def __init__(self, options: AceOptions, species: Sequence[int]) -> None:
        super().__init__(options, species)
        self.check(options, species)
        self._program = _program(options.order, options.degree, options.r_cut, self.species)

    @classmethod
    def dimension(cls, options: AceOptions, n_species: int) -> int:
        """Return the length of a vector: the products that rotations and inversion leave alone."""
        return _count(options.order, options.degree, n_species)

    @classmethod
    def check(cls, options: AceOptions, species: Sequence[int]) -> None:
        """Check that the elements are known and that bonds are shorter than the cut-off.

        Raises
        ------
        InputError
            If an element is heavier than plutonium, or the radius of an environment is too small.
        """
        cls.dimension(options, len(species))
        for z in species:
            if z > HEAVIEST:
                raise InputError(f"descriptor.backend: 'ace' knows no {chemical_symbols[z]}; choose another one.")

    def __call__(self, batch: Batch, k: int, centers: np.ndarray) -> np.ndarray:
        """Describe some atoms of one structure; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        blocks = self._blocks(batch, k, centers)
        return np.concatenate([self._program.describe(*block.arguments)[: block.count] for block in blocks])

    def slopes(self, batch: Batch, k: int) -> Iterator[Slopes]:
        """Differentiate the vectors; see :class:`gapdesign.descriptors.EnvironmentDescriptor`."""
        for block in self._blocks(batch, k, np.arange(int(batch.offsets[k + 1] - batch.offsets[k]))):
            vectors, jacobian = self._program.differentiate(*block.arguments)
            for row, (center, others) in enumerate(zip(block.centers, block.neighbours, strict=True)):
                bonds = block.arguments[0][row, : len(others)]
                yield Slopes(center, vectors[row], others, bonds, jacobian[row, : len(others)].transpose(0, 2, 1))

    def _blocks(self, batch: Batch, k: int, centers: np.ndarray) -> Iterator[_Block]:
        """Yield the environments of some atoms of a structure, ``ATOMS`` at once."""
        from matscipy.neighbours import neighbour_list

        atoms = batch.atoms(k)
        i, j, vectors = neighbour_list("ijD", atoms, self.options.r_cut)
        starts, kinds = np.searchsorted(i, np.arange(len(atoms) + 1)), np.searchsorted(self.species, atoms.numbers)
        most = max((starts[1:] - starts[:-1])[centers], default=0)
        room = FEWEST_NEIGHBOURS
        while room < most:
            room *= 2
        for first in range(0, len(centers), ATOMS):
            own = centers[first : first + ATOMS]
            # An empty place holds a neighbour at an ordinary distance, whose contribution is masked.
            places = np.full((ATOMS, room, 3), self.options.r_cut / 2)
            inner, outer = np.zeros((2, ATOMS, room), np.int32)
            is_there = np.zeros((ATOMS, room), bool)
            neighbours = [j[starts[center] : starts[center + 1]] for center in own]
            for row, (center, others) in enumerate(zip(own, neighbours, strict=True)):
                places[row, : len(others)] = vectors[starts[center] : starts[center + 1]]
                inner[row] = kinds[center]
                outer[row, : len(others)] = kinds[others]
                is_there[row, : len(others)] = True
            yield _Block(own, neighbours, (places, inner, outer, is_there))


class _Block(NamedTuple):
    """Environments of at most ``ATOMS`` atoms, filled up: their indices, their neighbours', and what is computed."""

    centers: np.ndarray
    neighbours: list[np.ndarray]
    arguments: tuple[np.ndarray, ...]

    @property
    def count(self) -> int:
        return len(self.centers)


class _Program(NamedTuple):
    """Compiled functions of a block.

    Attributes
    ----------
    describe : callable
        Returns vectors (atoms, dimension).
    differentiate : callable
        Returns the vectors, and their derivatives (atoms, neighbours, dimension, 3) by the place of each neighbour.
    """

    describe: Callable[..., np.ndarray]
    differentiate: Callable[..., tuple[np.ndarray, np.ndarray]]


class Asked(NamedTuple):
    """How messages call what asks for a basis.

    Attributes
    ----------
    program, radius
        Keys of the configuration.
    kind
        What it is an option of.
    """

    program: str
    radius: str
    kind: str


def missing(asked: Asked) -> InputError:
    """Return the error of a program that is not installed."""
    return InputError(
        f"{asked.program}: ace-jax is not installed; run `pip install ace-jax==0.4.1`, run the workflow with"
        f" --sdm conda, or choose another {asked.kind}."
    )


def build(order: int, degree: int, r_cut: float, species: Sequence[int], asked: Asked) -> Any:
    """Return a basis of ace-jax.

    Raises
    ------
    InputError
        If ace-jax is not installed, or the radius is smaller than a bond.
    """
    # XLA shares a sum among threads, in an order that depends on their number, unless it has one.
    flag = "--xla_cpu_multi_thread_eigen=false"
    if flag not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        import jax
        from ace_jax.basis.model import build_model
        from ace_jax.basis.radial_init import BOND_LEN
    except ImportError as error:
        raise missing(asked) from error

    bonds = np.array([BOND_LEN.get(z, 2 * covalent_radii[z]) for z in species])
    longest = int(np.argmax(bonds))
    if bonds[longest] >= r_cut:
        raise InputError(
            f"{asked.radius}: {r_cut:g} does not reach beyond a bond of {chemical_symbols[species[longest]]},"
            f" {bonds[longest]:.2f} angstrom; choose a larger one."
        )
    with jax.enable_x64(True):
        return build_model(list(species), order, degree, wL=WEIGHT, rcut=r_cut, r0=(bonds + bonds[:, None]) / 2)


@lru_cache(maxsize=4)
def _program(order: int, degree: int, r_cut: float, species: tuple[int, ...]) -> _Program:
    """Return the functions of a basis, compiled when first called and once for each process."""
    basis = build(order, degree, r_cut, species, Asked("descriptor.backend", "descriptor.ace.r_cut", "descriptor"))
    import jax

    width = basis.model.a2b_shape[0]

    def vectors(model: Any, *block: Any) -> Any:
        return model.site_basis_dense(*block)[0]

    def with_slopes(model: Any, *block: Any) -> Any:
        found, slopes = model.edge_jacobian_dense(*block)
        return found[:, :width], slopes[:, :width].reshape(*block[-1].shape, width, 3)

    def run(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled = jax.jit(function)

        def call(*block: np.ndarray) -> Any:
            with jax.enable_x64(True):
                return jax.tree.map(np.asarray, compiled(basis.model, *block))

        return call

    return _Program(run(vectors), run(with_slopes))


Shape = tuple[tuple[int, tuple[int, ...]], ...]
"""Angular momenta of a product, each with how often its factors repeat one radial function."""


@lru_cache
def _count(order: int, degree: int, n_species: int) -> int:
    """Count the invariant products, without ace-jax.

    A factor has a radial function n, of those of all elements, and an angular momentum l. A product has at most
    ``order`` factors, whose degrees add up to ``degree`` or less. How many invariants it has depends on its angular
    momenta, which are few, and on which of its factors are equal; so radial functions are counted by their repetitions.
    """
    # Degrees in units of 1 / (2 n_species): 2 n + 3 n_species l.
    whole, cost = 2 * n_species * degree, round(2 * WEIGHT * n_species)
    momenta, total = range(whole // cost + 1), 0
    for size in range(1, order + 1):
        for chosen in combinations_with_replacement(momenta, size):
            radial = (whole - cost * sum(chosen)) // 2
            if sum(chosen) % 2 == 0 and radial >= size:
                shapes = _shapes(tuple(sorted(Counter(chosen).items())), radial)
                total += sum(number * _couplings(shape) for shape, number in shapes.items())
    return total


def _shapes(momenta: tuple[tuple[int, int], ...], radial: int) -> Counter[Shape]:
    """Count the choices of radial functions whose numbers add up to ``radial`` at most, by their shape.

    Parameters
    ----------
    momenta : tuple of (int, int)
        Angular momenta, and the number of factors with each.
    radial : int
    """
    states: Counter[tuple[int, Shape]] = Counter({(radial, ()): 1})
    for momentum, count in momenta:
        grown: Counter[tuple[int, Shape]] = Counter()
        for (rest, shape), number in states.items():
            for (used, repeats), ways in _partitions(count, rest).items():
                grown[rest - used, (*shape, (momentum, repeats))] += number * ways
        states = grown
    shapes: Counter[Shape] = Counter()
    for (_, shape), number in states.items():
        shapes[shape] += number
    return shapes


@lru_cache
def _partitions(count: int, most: int) -> Counter[tuple[int, tuple[int, ...]]]:
    """Count multisets of ``count`` numbers from 1 that add up to ``most`` at most, by their sum and repetitions."""
    found: Counter[tuple[int, tuple[int, ...]]] = Counter()

    def grow(smallest: int, left: int, rest: int, repeats: tuple[int, ...]) -> None:
        if left == 0:
            found[most - rest, tuple(sorted(repeats))] += 1
            return
        for n in range(smallest, rest // left + 1):
            for times in range(1, min(left, rest // n) + 1):
                grow(n + 1, left - times, rest - times * n, (*repeats, times))

    grow(1, count, most, ())
    return found


@lru_cache
def _couplings(shape: Shape) -> int:
    """Count the invariants of a product: as many as its states with M = 0 outnumber those with M = 1."""
    states = Counter({0: 1})
    for momentum, repeats in shape:
        for times in repeats:
            # Equal factors commute, so their states are multisets.
            own = Counter(map(sum, combinations_with_replacement(range(-momentum, momentum + 1), times)))
            grown: Counter[int] = Counter()
            for (m, number), (other, ways) in product(states.items(), own.items()):
                grown[m + other] += number * ways
            states = grown
    return states[0] - states[1]
