"""Base class of every sampler: its options, its traits, and the method that makes structures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from gapdesign.families import Member
from gapdesign.inputs.filters import FilterOptions

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from gapdesign.prototypes import Prototype
    from gapdesign.samplers.shared.draw import Draw
    from gapdesign.structures import Batch


class Sampler(Member, ABC):
    """A way to make the candidates of a pool.

    The traits of a member describe the needs of its jobs and the properties of its candidates; rules, plan and checks
    use these and never its name.

    Parameters
    ----------
    options : Options
        An instance of the member's ``Options``.
    prototypes : sequence of Prototype
        Crystals of the study.

    Attributes
    ----------
    minutes
        Time limit of a job that makes a shard.
    keeps_cells
        Whether candidates have the atoms and the environments of the prototypes, only deformed, so that the plan knows
        their sizes.
    needs_prototypes
        Whether it starts from the prototypes of the study; one that does not takes an empty sequence of them, too.
    is_continuous
        Whether candidates are prototypes at points of a space of parameters, by :meth:`points` and :meth:`at`.
    is_given
        Whether candidates are structures that were given, and not made.
    seconds
        CPU seconds per candidate, for the plan, if its own measurements do not list the sampler; None if unknown.

    Raises
    ------
    InputError
        If the options do not fit the prototypes.
    """

    minutes: ClassVar[int] = 30
    keeps_cells: ClassVar[bool] = False
    needs_prototypes: ClassVar[bool] = True
    is_continuous: ClassVar[bool] = False
    is_given: ClassVar[bool] = False
    seconds: ClassVar[float | None] = None

    def __init__(self, options: Any, prototypes: Sequence[Prototype]) -> None:
        self.options = options
        self.prototypes = prototypes
        self.names = tuple(prototype.name for prototype in prototypes)

    @abstractmethod
    def __call__(self, draw: Draw) -> Batch:
        """Make the structures ``draw.indices``.

        Each depends on the seed, the pool, its own index and the attempt alone, not on the other indices. The caller
        fills in ``candidates`` and ``refusals``; ``names`` are those of all prototypes.
        """

    def points(self, draw: Draw) -> np.ndarray:
        """Return the parameters (n, k), in [0, 1], of the structures that a call makes; for continuous samplers only.

        Structures change continuously with them, and every point is one that a call may make.
        """
        raise NotImplementedError

    def at(self, prototypes: np.ndarray, points: np.ndarray) -> Batch:
        """Make the structures of prototypes (n,), by number, at points (n, k); for continuous samplers only."""
        raise NotImplementedError

    @classmethod
    def environment(cls, options: Any) -> str:
        """Return the environment, a file of `envs/` without its ending, in which shards are made."""
        return "core"

    @classmethod
    def is_ordered(cls, options: Any) -> bool:
        """Return whether candidates with neighbouring indices are more alike than others."""
        return False

    @classmethod
    def structures(cls, options: Any) -> str | Sequence[str] | None:
        """Return the path of the user's file whose frames become candidates, or of several, if there are any.

        Their frames are indexed, and they are converted to extended XYZ if need be, before any shard is made.
        """
        return None

    @classmethod
    def filter(cls, options: Any) -> FilterOptions:
        """Return which frames of these files become candidates; by default all."""
        return FilterOptions()

    @classmethod
    def resolved(cls, options: Any) -> Any:
        """Return the options with the files that patterns in them stand for when the configuration is read."""
        return options

    @classmethod
    def after(cls, options: Any) -> str | None:
        """Return the design of the study after whose labels candidates are made, if they depend on these."""
        return None

    @classmethod
    def reads_model(cls, options: Any) -> bool:
        """Return whether they depend on the model of that design, too."""
        return False

    @classmethod
    def knowing(cls, options: Any, *, labelled: Path, kind: str | None = None, model: Path | None = None) -> Any:
        """Return the options with that design in them: its labelled structures and, if asked for, its model."""
        return options

    @classmethod
    def data(cls, options: Any) -> Sequence[Path]:
        """Return other files that candidates depend on, such as potentials; their content decides what runs again."""
        return ()

    @classmethod
    def check(cls, options: Any, pool: str) -> None:
        """Check, before any job runs, that files named in the options of a pool exist.

        Raises
        ------
        InputError
            If one does not.
        """
