"""Labels in a user's frames: by which keys, in which units and signs, and for which frames.

All labels that were made elsewhere are read here, whoever needs them, by these rules:

- A key that the configuration names is the only one read, in ``info``, in ``arrays`` and among the results that ASE
  keeps in a calculator (where it puts ``energy``, ``forces`` and ``stress`` of extended XYZ). A named key that no frame
  has is an error.
- Where none is named, all frames are read by ``REF_energy``, ``REF_forces`` and ``REF_virial`` or ``REF_stress`` if any
  frame has one of these, and otherwise by ASE's own names. The two are never mixed.
- A virial is minus the stress times the volume; a stress is positive under tension. Lengths are in angstrom, energies
  in eV.
- A label is finite numbers of the right shape; anything else under its key is an error. A frame may lack labels, and
  is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from gapdesign.errors import InputError
from gapdesign.inputs import frames as structures
from gapdesign.inputs.frames import Frame
from gapdesign.inputs.sanity import ISOLATED

QUANTITIES = ("energy", "forces", "virial", "stress")
"""Quantities that have a key each; of virial and stress, one is enough."""

SPREAD = 1e-4
"""Largest difference, in eV per atom, between two energies of one structure that do not contradict each other.

Published sets hold structures twice, from two calculations that differ in their last digits.
"""

_OURS = {"energy": ("REF_energy",), "forces": ("REF_forces",), "virial": ("REF_virial",), "stress": ("REF_stress",)}
_ASE = {"energy": ("free_energy", "energy"), "forces": ("forces",), "virial": (), "stress": ("stress",)}
_MOST_KEYS = 20


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Names of the labels in frames, of those that the user named.

    Attributes
    ----------
    energy, forces, virial, stress : str or None
        None reads the default of all frames: ``REF_...`` if any frame has one of these, otherwise what ASE reads.
    """

    energy: str | None = None
    forces: str | None = None
    virial: str | None = None
    stress: str | None = None

    def candidates(self, quantity: str) -> tuple[str, ...]:
        """Return all names under which a quantity may be found, the best first."""
        named = getattr(self, quantity)
        if named is not None:
            return (named,)
        # A virial or stress that is named replaces the default of the other.
        if quantity in ("virial", "stress") and (self.virial or self.stress):
            return ()
        return (*_OURS[quantity], *_ASE[quantity])


@dataclass(frozen=True, eq=False)
class Values:
    """Labels of one structure of n atoms, as far as it has them.

    Attributes
    ----------
    energy : float or None
        Total energy, in eV.
    forces : (n, 3) or None
        In eV/angstrom.
    virial : (3, 3) or None
        Minus the stress times the volume, in eV.
    """

    energy: float | None = None
    forces: np.ndarray | None = None
    virial: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Labelled:
    """A frame with its labels.

    Attributes
    ----------
    atoms : Atoms
        The structure alone.
    values : Values
        Its labels.
    group : str
        Its ``config_type``; empty if there is none.
    declared, alone : bool
        Whether it is declared to be an isolated atom, and whether it is one by its cell.
    source : str
        Its file.
    number : int
        Its place in the file, from 0.
    """

    atoms: Atoms
    values: Values
    group: str
    declared: bool
    alone: bool
    source: str
    number: int

    def __str__(self) -> str:
        return f"{self.source}, frame {self.number}"


@dataclass
class Tally:
    """Numbers of frames that have each label, by key.

    Attributes
    ----------
    files, frames : int
        Numbers of files and frames read.
    by_key : dict
        Quantity to key to the number of frames read by it.
    lacking : dict
        Quantity to the first frame that lacks it.
    """

    files: int = 0
    frames: int = 0
    by_key: dict[str, dict[str, int]] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Return all numbers in JSON types."""
        return {"files": self.files, "frames": self.frames, "by_key": self.by_key, "lacking": self.lacking}


def in_words(data: Mapping[str, Any]) -> str:
    """Return the numbers of a :class:`Tally` in words, with those of outputs of programs where there are some."""
    frames, files, outputs = data["frames"], data["files"], data.get("outputs", 0)
    parts = []
    for quantity in ("energy", "forces", "virial"):
        found = data["by_key"].get(quantity, {})
        counted = " and ".join(f"{count} by '{key}'" for key, count in found.items())
        lacking = data["lacking"].get(quantity)
        first = f" (the first without: {lacking})" if lacking and found else ""
        parts.append(f"{quantity} of {counted}{first}" if found else f"no {quantity}")
    told = [f"{_plural(frames, 'frame')} in {_plural(files, 'file')}: {', '.join(parts)}"] if frames else []
    return "; ".join([*told, _plural(outputs, "output of a program")] if outputs else told)


def _plural(count: int, what: str) -> str:
    noun, _, rest = what.partition(" of ")
    return f"{count} {noun}{'' if count == 1 else 's'}{' of ' + rest if rest else ''}"


def read(paths: Sequence[str | Path], keys: Keys) -> tuple[list[Labelled], Tally]:
    """Read all frames of files with their labels.

    Raises
    ------
    InputError
        If a file cannot be read (see :func:`gapdesign.inputs.frames.read`), if a named key is in no frame, if defaults
        are mixed, or if something under a key is no label.
    """
    found, tally = of_frames((frame for path in paths for frame in structures.read(path, "labels.file.paths")), keys)
    tally.files = len(paths)
    return found, tally


Excuse = Callable[[InputError, Frame | None], None]
"""What is done with a mistake in the labels of a frame, or of the whole set."""


def _refuse(error: InputError, frame: Frame | None) -> None:
    raise error


def of_frames(frames: Iterable[Frame], keys: Keys, excuse: Excuse = _refuse) -> tuple[list[Labelled], Tally]:
    """Find the labels of frames.

    Parameters
    ----------
    excuse : callable
        Called with each mistake other than a named key that is in no frame; where it returns, the label is left out.

    Raises
    ------
    InputError
        See :func:`read`.
    """
    raw = [_Raw.of(frame, keys) for frame in frames]
    chosen = _chosen(raw, keys, excuse)
    tally = Tally(files=1, frames=len(raw))
    return [_labelled(each, chosen, tally, excuse) for each in raw], tally


@dataclass(frozen=True, eq=False)
class _Raw:
    """A frame with everything that may be a label, before the set as a whole says which is."""

    frame: Frame
    found: dict[str, dict[str, Any]]
    there: tuple[str, ...]
    group: str
    alone: bool

    @classmethod
    def of(cls, frame: Frame, keys: Keys) -> _Raw:
        atoms = frame.atoms
        results = atoms.calc.results if atoms.calc is not None else {}
        places = [results, atoms.info, {k: v for k, v in atoms.arrays.items() if k not in ("numbers", "positions")}]
        everything = {key: value for place in places for key, value in place.items()}
        found = {
            quantity: {name: everything[name] for name in keys.candidates(quantity) if everything.get(name) is not None}
            for quantity in QUANTITIES
        }
        return cls(
            frame=Frame(bare(atoms), frame.source, frame.number),
            found=found,
            there=tuple(sorted(everything)),
            group=str(atoms.info.get("config_type", "")),
            alone=frame.is_isolated,
        )


def _chosen(raw: Sequence[_Raw], keys: Keys, excuse: Excuse) -> dict[str, tuple[str, ...]]:
    """Return the names by which each quantity is read in all frames: one, or none."""
    if not raw:
        return dict.fromkeys(QUANTITIES, ())
    names: dict[str, tuple[str, ...]] = {}
    for quantity in QUANTITIES:
        named = getattr(keys, quantity)
        if named is not None and not any(each.found[quantity] for each in raw):
            raise InputError(
                f"labels.file.{quantity}_key: {_all_of(raw)} has '{named}', only {_there(raw)}; correct the key."
            )
        names[quantity] = (named,) if named is not None else ()
    free = [quantity for quantity in QUANTITIES if getattr(keys, quantity) is None]
    ours = any(name in each.found[quantity] for each in raw for quantity in free for name in _OURS[quantity])
    defaults = _OURS if ours else _ASE
    for quantity in free:
        names[quantity] = next(
            ((name,) for name in defaults[quantity] if any(name in each.found[quantity] for each in raw)), ()
        )
    if names["virial"] and keys.virial is None:
        names["stress"] = ()
    if not names["energy"]:
        tried = "', '".join(_OURS["energy"] + (() if ours else _ASE["energy"]))
        sentence = (
            f"labels.file.energy_key: {_all_of(raw)} has '{tried}', only {_there(raw)}; name the key of the energy."
        )
        excuse(InputError(sentence), None)
    _refuse_two_energies(raw, names["energy"], excuse)
    return names


def _refuse_two_energies(raw: Sequence[_Raw], names: tuple[str, ...], excuse: Excuse) -> None:
    """Refuse a set of which some frames have a free energy, and others only an energy at zero smearing."""
    if names != ("free_energy",):
        return
    for each in raw:
        if set(each.found["energy"]) == {"energy"}:
            sentence = (
                f"labels.file.energy_key: {each.frame} has an 'energy' and no 'free_energy', which others have; name"
                " the one that goes with the forces."
            )
            excuse(InputError(sentence), each.frame)


def _all_of(raw: Sequence[_Raw]) -> str:
    files = list(dict.fromkeys(each.frame.source for each in raw))
    more = f" and of {_plural(len(files) - 1, 'more file')}" if len(files) > 1 else ""
    return f"no frame of '{files[0]}'{more}"


def _there(raw: Sequence[_Raw]) -> str:
    keys = sorted({key for each in raw for key in each.there})
    if not keys:
        return "structures without any key"
    return ", ".join(keys[:_MOST_KEYS]) + (" and others" if len(keys) > _MOST_KEYS else "")


def _labelled(raw: _Raw, names: Mapping[str, tuple[str, ...]], tally: Tally, excuse: Excuse) -> Labelled:
    found: dict[str, Any] = {}
    for quantity in QUANTITIES:
        name = next((name for name in names[quantity] if name in raw.found[quantity]), None)
        target = "virial" if quantity == "stress" else quantity
        if name is None or target in found:
            continue
        try:
            found[target] = _value(raw.found[quantity][name], quantity, name, raw.frame)
        except InputError as error:
            excuse(error, raw.frame)
            continue
        counts = tally.by_key.setdefault(target, {})
        counts[name] = counts.get(name, 0) + 1
    for quantity in ("energy",) if raw.alone else ("energy", "forces", "virial"):
        if quantity not in found:
            tally.lacking.setdefault(quantity, str(raw.frame))
    return Labelled(
        atoms=raw.frame.atoms,
        values=Values(**found),
        group=raw.group,
        declared=raw.alone and raw.group.lower() in ISOLATED,
        alone=raw.alone,
        source=raw.frame.source,
        number=raw.frame.number,
    )


def _value(given: Any, quantity: str, name: str, frame: Frame) -> Any:
    """Check one label, and bring it into the form that :class:`Values` has it in."""
    atoms = frame.atoms
    shapes = {"energy": ((),), "forces": ((len(atoms), 3),)}.get(quantity, ((9,), (3, 3), (6,)))
    try:
        value = np.asarray(given, dtype=float)
        good = not isinstance(given, bool | str) and np.isfinite(value).all()
    except (TypeError, ValueError):
        value, good = np.zeros(0), False
    if not good:
        raise InputError(
            f"labels.file.{quantity}_key: {frame} has {name}={_shown(given)}, not made of finite numbers; remove it"
            " there (a frame may lack a label), or the frame."
        )
    value = value.reshape(()) if quantity == "energy" and value.size == 1 else value
    if value.shape not in shapes:
        expected = {"energy": "one number", "forces": f"three numbers for each of {len(atoms)} atoms"}
        shape = "x".join(map(str, value.shape)) or "one number"
        raise InputError(
            f"labels.file.{quantity}_key: {frame} has {name} of shape {shape};"
            f" it must be {expected.get(quantity, 'nine numbers, or six in the order xx, yy, zz, yz, xz, xy')}."
        )
    if quantity == "energy":
        return float(value)
    if quantity == "forces":
        return value
    if quantity == "stress" and atoms.cell.rank < 3:
        raise InputError(
            f"labels.file.stress_key: {frame} has a stress and no volume, so it has no virial; remove it, or give the"
            " virial."
        )
    return symmetric(value, 1.0 if quantity == "virial" else -atoms.get_volume())


def _shown(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def symmetric(values: Any, factor: float) -> np.ndarray:
    """Make a symmetric tensor (3, 3) from nine numbers, 3 x 3, or six in Voigt's order (xx, yy, zz, yz, xz, xy)."""
    values = factor * np.array(values, dtype=float).ravel()
    if values.size == 6:
        values = values[[0, 5, 4, 5, 1, 3, 4, 3, 2]]
    tensor = values.reshape(3, 3)
    return 0.5 * (tensor + tensor.T) + 0.0


def bare(atoms: Atoms) -> Atoms:
    """Return a structure alone: numbers, positions, cell and periodicity."""
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def with_labels(atoms: Atoms, values: Values) -> Atoms:
    """Return a structure alone, with its labels under the names that labels have in a study."""
    frame = bare(atoms)
    if values.energy is not None:
        frame.info["REF_energy"] = values.energy
    if values.virial is not None:
        frame.info["REF_virial"] = np.ravel(values.virial)
    if values.forces is not None:
        frame.arrays["REF_forces"] = np.asarray(values.forces)
    return frame
