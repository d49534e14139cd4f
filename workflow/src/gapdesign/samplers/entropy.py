"""Sampler `entropy`: structures whose atoms differ from one another as much as possible (KP)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from ase import Atoms, units
from ase.data import atomic_masses, chemical_symbols
from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from gapdesign.config.options import Options
from gapdesign.errors import InputError
from gapdesign.files import atomic
from gapdesign.prototypes import Prototype
from gapdesign.samplers.base import Sampler
from gapdesign.samplers.shared import differentiable
from gapdesign.samplers.shared.crystals import places
from gapdesign.samplers.shared.differentiable import DifferentiableOptions
from gapdesign.samplers.shared.diversity import EffectivePotential, GlobalEntropy, RepulsionOptions, local_entropy
from gapdesign.samplers.shared.draw import Draw
from gapdesign.samplers.shared.dynamics import FunctionCalculator, Langevin
from gapdesign.streams import stream
from gapdesign.structures import Batch, pack

Count = Annotated[int, Field(ge=2)]
Edges = tuple[float, float, float]


class EntropyOptions(Options):
    """Options of the sampler `entropy`: annealing in V = E_rep - K S, at KP's parameters for tungsten."""

    element: str | dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        None,
        description="Chemical symbol, or shares of several, such as {Nb: 1, Mo: 3}, by which the element of each atom"
        " is drawn; you may leave it out if the prototypes have only one element.",
    )
    atoms: Count | list[Count] = Field(
        39,
        description="Atoms in the cell; a list of several numbers, of which each structure draws one, all"
        " equally likely.",
    )
    cell: Edges | list[Edges] = Field(
        (9.54, 9.54, 14.31),
        description="Edges of the periodic cell, in angstrom; a list of several, one for each number of `atoms`.",
    )
    form: Literal["local", "global"] = Field(
        "local",
        description="Entropy of the atoms of one structure by nearest neighbours (KP), or log det of the covariance of"
        " all atoms of a chain of structures so far (Subramanyam & Perez).",
    )
    strength: float = Field(1000.0, ge=0, description="K at the end of a cycle, in eV; 0 ignores the entropy.")
    temperature: float = Field(10000.0, ge=0, description="Temperature at the start of a cycle, in kelvin.")
    final_temperature: float = Field(0.0, ge=0, description="Temperature at the end of a cycle, in kelvin.")
    shuffle: int = Field(200, ge=0, description="Steps at the starting temperature with K = 0 before the cycle.")
    steps: int = Field(2000, ge=1, description="Steps of a cycle, over which T and K change linearly.")
    relaxation: int = Field(200, ge=0, description="Largest number of steps of the minimisation after a cycle.")
    timestep: float = Field(1.0, gt=0, description="Time step, in femtoseconds.")
    friction: float = Field(0.02, gt=0, description="Friction of the thermostat, in 1/fs.")
    max_force: float = Field(
        100.0,
        gt=0,
        description="Largest force on an atom, in eV/angstrom: that of V has no bound where two atoms are alike.",
    )
    scale_frames: int = Field(
        50,
        ge=1,
        description="Frames of the preliminary run at the starting temperature with K = 0; each component is divided"
        " by its standard deviation over their atoms.",
    )
    cycles_per_chain: int = Field(
        20,
        ge=1,
        description="Structures in a chain of the form `global`. Make `shard_size` a multiple of it: a shard that"
        " begins inside a chain runs the chain from its start.",
    )
    checkpoint: int = Field(
        200, ge=1, description="Steps between checkpoints, from which an interrupted job continues."
    )
    repulsion: RepulsionOptions = Field(RepulsionOptions(), description="Repulsion that keeps atoms apart.")
    descriptor: DifferentiableOptions = Field(
        DifferentiableOptions(), description="Descriptor of atoms whose entropy is maximised."
    )

    @field_validator("atoms", "cell", mode="wrap")
    @classmethod
    def _plain(cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Say in one sentence what fits neither of the two forms."""
        try:
            checked = check(value)
        except ValidationError:
            checked = []
        counts = checked if isinstance(checked, list) else [checked]
        if info.field_name == "atoms":
            if not counts or len(set(counts)) < len(counts):
                raise ValueError("give a number of 2 or more, or a list of different ones such as [26, 39, 52]")
        elif not counts or min(min(edges) for edges in counts) <= 0:
            raise ValueError("give three edges above 0 in angstrom, or a list of such cells")
        return checked

    @model_validator(mode="after")
    def _paired(self) -> EntropyOptions:
        counts = self.atoms if isinstance(self.atoms, list) else [self.atoms]
        if isinstance(self.cell, list) and len(self.cell) != len(counts):
            raise ValueError(
                f"`cell` and `atoms` have {len(self.cell)} and {len(counts)} entries; give one cell for each number of"
                " atoms, or the same cell for all as [a, b, c]"
            )
        return self

    @property
    def sizes(self) -> list[tuple[int, Edges]]:
        """The numbers of atoms, each with its cell."""
        counts = self.atoms if isinstance(self.atoms, list) else [self.atoms]
        cells = self.cell if isinstance(self.cell, list) else [self.cell] * len(counts)
        return list(zip(counts, cells, strict=True))


class EntropySampler(Sampler):
    """Annealed structures: candidate i is the result of annealing cycle i.

    In the form `global` it is the result of cycle i mod L of chain i div L.

    Raises
    ------
    InputError
        If the elements are ambiguous, or no prototype has one of them, or the descriptor is not for several, or there
        are more elements than atoms in the largest cell.
    """

    name = "entropy"
    summary = "structures annealed until their atoms differ as much as possible"
    Options = EntropyOptions
    minutes = 720

    def __init__(self, options: EntropyOptions, prototypes: Sequence[Prototype]) -> None:
        super().__init__(options, prototypes)
        self._shares = _shares(options.element, prototypes)
        if options.repulsion.m >= options.repulsion.n:
            raise InputError("pools.entropy.repulsion: m must be smaller than n.")
        largest = max(count for count, _ in options.sizes)
        if largest < len(self._shares):
            raise InputError(
                f"pools.entropy.atoms: {largest} atoms cannot hold all {len(self._shares)} elements of"
                f" pools.entropy.element; give {len(self._shares)} or more, or fewer elements."
            )
        if len(self._shares) > 1 and options.descriptor.is_quip:
            differentiable.make(options.descriptor, list(self._shares))

    @classmethod
    def environment(cls, options: EntropyOptions) -> str:
        """Return the environment that its descriptor needs."""
        return options.descriptor.environment

    def __call__(self, draw: Draw) -> Batch:
        """Make the structures; see :class:`gapdesign.samplers.Sampler`."""
        if self.options.form == "local":
            cycles = [self._cycle(f"{draw.name}/cycle/{index}", draw, local_entropy) for index in draw.indices]
            return pack(cycles, names=self.names)
        length, made = self.options.cycles_per_chain, {}
        for chain in np.unique(draw.indices // length):
            entropy = GlobalEntropy(len(self._scale(draw.seed)))
            last = int(draw.indices[draw.indices // length == chain].max())
            for index in range(int(chain) * length, last + 1):
                made[index] = self._cycle(f"{draw.name}/cycle/{index}", draw, entropy)
                entropy.add(self._descriptor(made[index]) / self._scale(draw.seed))
        return pack([made[int(index)] for index in draw.indices], names=self.names)

    def _cycle(self, name: str, draw: Draw, entropy) -> Atoms:
        """Anneal from a random start, minimise, and return the structure."""
        options = self.options
        atoms, velocities = self._begin(name, self._size(name))
        forces, done = self._forces(self._repulsive, atoms, 0.0), 0
        total = options.shuffle + options.steps
        path = self._checkpoint(name, draw.scratch)
        if path is not None and path.is_file():
            with np.load(path) as saved:
                atoms.positions, velocities, forces = saved["positions"], saved["velocities"], saved["forces"]
                done = int(saved["done"])
        potential = self._repulsive
        if options.strength:
            potential = EffectivePotential(options.repulsion, self._descriptor, self._scale(draw.seed), entropy)
        while done < total:
            share = max(0, done - options.shuffle) / options.steps
            strength = options.strength * share
            temperature = options.temperature + (options.final_temperature - options.temperature) * share
            noise = np.random.Generator(stream(f"{name}/{done}")).standard_normal(velocities.shape)
            forces = self._step(potential, atoms, velocities, forces, strength, temperature, noise)
            done += 1
            if done % options.checkpoint == 0:
                _save(path, atoms, velocities, forces, done)
        if done == total:
            self._relax(atoms, potential)
            atoms.wrap()
            _save(path, atoms, velocities, forces, total + 1)
        return atoms

    def _step(self, potential, atoms, velocities, forces, strength, temperature, noise) -> np.ndarray:
        """Make one step of Langevin dynamics from Gaussian numbers of variance 1, in place; return the new forces."""
        masses = _masses(atoms)
        langevin = Langevin(masses, timestep=self.options.timestep, friction=self.options.friction)
        kicks = np.sqrt((1 - langevin.kept**2) * units.kB * temperature / masses) * noise
        return langevin(atoms, velocities, forces, kicks, lambda moved: self._forces(potential, moved, strength))

    def _forces(self, potential: EffectivePotential, atoms: Atoms, strength: float) -> np.ndarray:
        return self._energy_and_forces(potential, atoms, strength)[1]

    def _energy_and_forces(self, potential, atoms, strength: float) -> tuple[float, np.ndarray]:
        """Return V in eV, and its forces (n, 3) in eV/angstrom, none larger than ``max_force``."""
        energy, forces = potential(atoms, strength)
        length = np.sqrt((forces * forces).sum(axis=1, keepdims=True))
        return energy, forces * np.minimum(1, self.options.max_force / np.maximum(length, 1e-12))

    def _relax(self, atoms: Atoms, potential: EffectivePotential) -> None:
        from ase.optimize import FIRE

        if self.options.relaxation:
            moving = atoms.copy()
            moving.calc = FunctionCalculator(
                lambda given: self._energy_and_forces(potential, given, self.options.strength)
            )
            FIRE(moving, logfile=None, maxstep=0.1).run(fmax=0.05, steps=self.options.relaxation)
            atoms.positions = moving.positions

    def _size(self, name: str) -> tuple[int, Edges]:
        """Return the number of atoms of a cycle, and the edges of its cell."""
        sizes = self.options.sizes
        return sizes[int(np.random.Generator(stream(f"{name}/size")).integers(len(sizes)))]

    def _begin(self, name: str, size: tuple[int, Edges], *, mixed: bool = False) -> tuple[Atoms, np.ndarray]:
        """Return so many atoms at random places of a cell, and their velocities; if ``mixed``, of every element."""
        generator = np.random.Generator(stream(name))
        numbers, (count, edges) = np.array(list(self._shares)), size
        kinds = np.zeros(count, int)
        if len(numbers) > 1:
            bounds = np.cumsum(list(self._shares.values()))
            elements = np.random.Generator(stream(f"{name}/elements"))
            kinds = np.searchsorted(bounds[:-1] / bounds[-1], elements.random(count), side="right")
        if mixed:
            kinds[: len(numbers)] = np.arange(len(numbers))[:count]
        cell, radii = np.diag(edges), np.full(count, 0.35 * self.options.repulsion.r0)
        atoms = Atoms(numbers[kinds], places(cell, radii, generator), cell=cell, pbc=True)
        width = np.sqrt(units.kB * self.options.temperature / _masses(atoms))
        return atoms, width * generator.standard_normal((count, 3))

    @property
    def _repulsive(self) -> EffectivePotential:
        return EffectivePotential(self.options.repulsion, None, None)

    @cached_property
    def _descriptor(self) -> differentiable.Differentiable:
        return differentiable.make(self.options.descriptor, list(self._shares))

    def _scale(self, seed: int) -> np.ndarray:
        """Return the standard deviation (m,) of each component over frames without bias, the same for all pools."""
        if self._known_scale is None or self._known_scale[0] != seed:
            options, values = self.options, []
            name = f"{seed}/entropy/scale"
            for size in options.sizes:
                # A component of an element that no frame has would have no deviation, and outweigh all others.
                atoms, velocities = self._begin(name, size, mixed=True)
                forces = self._forces(self._repulsive, atoms, 0.0)
                for done in range(200 + 20 * options.scale_frames):
                    noise = np.random.Generator(stream(f"{name}/{done}")).standard_normal(velocities.shape)
                    forces = self._step(self._repulsive, atoms, velocities, forces, 0.0, options.temperature, noise)
                    if done >= 200 and done % 20 == 0:
                        values.append(self._descriptor(atoms))
            self._known_scale = seed, np.maximum(np.concatenate(values).std(axis=0), 1e-12)
        return self._known_scale[1]

    _known_scale: tuple[int, np.ndarray] | None = None

    def _checkpoint(self, name: str, scratch: Path | None) -> Path | None:
        """Return the file of a cycle's checkpoint while its shard is unfinished; other options have another file."""
        if scratch is None:
            return None
        what = f"{name}/{self._shares}/{self.options.model_dump_json()}"
        return scratch / f"{hashlib.sha256(what.encode()).hexdigest()[:24]}.npz"


def _save(path: Path | None, atoms: Atoms, velocities: np.ndarray, forces: np.ndarray, done: int) -> None:
    if path is not None:
        with atomic(path) as temporary, temporary.open("wb") as written:
            np.savez(written, positions=atoms.positions, velocities=velocities, forces=forces, done=done)


def _masses(atoms: Atoms) -> np.ndarray:
    """Return the masses (n, 1) in atomic mass units."""
    return atomic_masses[atoms.numbers][:, None]


def _shares(element: str | dict[str, float] | None, prototypes: Sequence[Prototype]) -> dict[int, float]:
    """Return the share of each element by its atomic number, in ascending order."""
    known = sorted({int(z) for prototype in prototypes for z in prototype.atoms.numbers})
    symbols = [chemical_symbols[z] for z in known]
    if element is None and len(known) > 1:
        example = ", ".join(f"{symbol}: 1" for symbol in symbols)
        raise InputError(
            f"pools.entropy.element: the prototypes have {', '.join(symbols)}; choose one, or give the share of each,"
            f" such as {{{example}}}."
        )
    given = {symbols[0]: 1.0} if element is None else {element: 1.0} if isinstance(element, str) else element
    for symbol in given:
        if symbol not in symbols:
            raise InputError(
                f"pools.entropy.element: no prototype has the element '{symbol}', only {', '.join(symbols)}."
            )
    if not given:
        raise InputError("pools.entropy.element: there are no shares; give that of each element, such as {Nb: 1}.")
    return {z: given[symbol] for z, symbol in zip(known, symbols, strict=True) if symbol in given}
