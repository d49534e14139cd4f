"""The label of one structure: the checks before, the engine's attempts, the checks after, and the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ase import Atoms

from gapdesign.engines.base import Engine, Label, NotConvergedError
from gapdesign.errors import InputError, printable
from gapdesign.labels.gate import LimitOptions, refuse_cost, refuse_label, refuse_structure, refuse_vacuum
from gapdesign.labels.runs import Runs
from gapdesign.labels.store import LabelStore, label_key
from gapdesign.labels.version import refuse_change


class NoLabelError(Exception):
    """One structure gets no label; the message is the reason, on one line.

    Attributes
    ----------
    attempts : int
        Number of calculations made.
    directory : str
        Folder with the files of the last one; empty if they were not kept.
    """

    def __init__(self, reason: str, attempts: int = 0, directory: str = "") -> None:
        super().__init__(printable(reason))
        self.attempts, self.directory = attempts, directory


@dataclass(frozen=True, kw_only=True)
class Labeller:
    """Source of labels: the store if it has them, otherwise the engine.

    Attributes
    ----------
    engine : Engine
        Engine that computes labels missing from the store.
    store : LabelStore
        Store that keeps labels.
    runs : Runs
        Folders in which the engine runs.
    min_fraction : float
        See :func:`gapdesign.labels.gate.refuse_structure`.
    limits : LimitOptions
        Allowed shapes of cells.
    max_core_hours : float, optional
        Largest cost of a label, by the engine's estimate.
    cores : int
        Cores that the engine has; the store keeps what a label cost, for engines that take their time.
    """

    engine: Engine
    store: LabelStore
    min_fraction: float
    runs: Runs = field(default_factory=Runs)
    limits: LimitOptions = field(default_factory=LimitOptions)
    max_core_hours: float | None = None
    cores: int = 1
    _checked: list[str] = field(default_factory=list, init=False, repr=False)

    def label(self, atoms: Atoms, name: str, *, isolated: bool = False) -> Label:
        """Return the label of a structure, computing it if the store does not have it.

        Parameters
        ----------
        atoms
            The structure.
        name
            Name under which its runs are kept.
        isolated
            Whether it is an isolated atom.

        Raises
        ------
        NoLabelError
            If it is refused before or after the engine runs, or if every attempt fails.
        InputError, OSError, MemoryError
            If the engine cannot run here, whatever the structure.
        """
        # The engine sees what the key covers and nothing else: no magnetic moments or info that would change a label.
        atoms = bare(atoms)
        if reason := refuse_structure(atoms, self.min_fraction, self.limits):
            raise NoLabelError(reason)
        needs_vacuum = not atoms.pbc.all() and self.engine.repeats_everything
        if needs_vacuum and (reason := refuse_vacuum(atoms, self.engine.name)):
            raise NoLabelError(reason)
        key = label_key(atoms, self.engine, isolated=isolated)
        label = self.store.get(key)
        if label is None:
            if reason := refuse_cost(self.engine.core_hours(atoms), self.max_core_hours):
                raise NoLabelError(reason)
            self.engine.check(sorted(set(atoms.get_chemical_symbols())))
            begin = time.monotonic()
            label, attempts = self._compute(atoms, name, isolated)
            cost = (time.monotonic() - begin) * self.cores / 3600
            measured = None if self.engine.is_instant or not self.engine.computes else cost
            self._refuse_change()
            self.store.put(key, atoms, label, self.engine, isolated=isolated, attempts=attempts, core_hours=measured)
        return label

    def core_hours(self, atoms: Atoms) -> float | None:
        """Return what the label of a structure cost, by the clock; None if the store does not know."""
        return self.store.core_hours(label_key(bare(atoms), self.engine))

    def _refuse_change(self) -> None:
        """Check that the label comes from the version that the store will name.

        An engine that is instant, or that finds labels in files, has loaded all of its files for the first label.
        """
        if not self._checked or (self.engine.computes and not self.engine.is_instant):
            refuse_change(self.engine)
            self._checked.append(self.engine.version)

    def _compute(self, atoms: Atoms, name: str, isolated: bool) -> tuple[Label, list[str]]:
        """Return the label from the first attempt that succeeds, and the outcome of each attempt."""
        self.runs.forget(name)
        reasons: list[str] = []
        directory = ""
        for attempt, words in enumerate(self.engine.attempts):
            with self.runs.folder() as folder:
                label, reason, again = self._attempt(atoms, folder, attempt, isolated)
                kept = self.runs.stow(folder, f"{name}-{attempt}", failed=reason is not None)
            if reason is None:
                tried = [*zip(self.engine.attempts, reasons, strict=False), (words, "a label")]
                return label, [f"{step}: {outcome}" for step, outcome in tried]
            reasons.append(reason)
            directory = kept or directory
            if not again:
                break
        raise NoLabelError(_account(self.engine.attempts, reasons), len(reasons), directory)

    def _attempt(
        self, atoms: Atoms, folder: Path, attempt: int, isolated: bool
    ) -> tuple[Label | None, str | None, bool]:
        """Return the label, or the reason why there is none and whether another attempt may help."""
        try:
            label = self.engine.label(atoms, folder, attempt=attempt, isolated=isolated)
        except NotConvergedError as error:
            return None, " ".join(str(error).split()) or "It did not converge.", True
        except (InputError, OSError, MemoryError):
            raise
        except Exception as error:
            message = " ".join(str(error).split())
            plain = isinstance(error, ValueError) and message
            return None, message if plain else f"{type(error).__name__}: {message}", False
        reason = refuse_label(atoms, label)
        return label, reason, reason is not None


def _account(attempts: Sequence[str], reasons: Sequence[str]) -> str:
    if len(set(reasons)) == 1:
        return reasons[0]
    return "; ".join(f"{step}: {reason}" for step, reason in zip(attempts, reasons, strict=False))


def bare(atoms: Atoms) -> Atoms:
    """Return a copy with only numbers, positions, cell and periodicity."""
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
