"""The interactive map of a pool: points on its components, each with its structure, as a data set of chemiscope."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gapdesign.methods.polish import is_polished
from gapdesign.report.words import listing, number, percent
from gapdesign.shards import evenly

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms

    from gapdesign.inputs.frames import Frame
    from gapdesign.structures import Batch

STRUCTURES = 2000
"""Most structures of a map."""

ATOMS = 50_000
"""Most atoms of a map, some 25 bytes each."""

EXISTING = 1000
"""Most structures of the sets that designs start from; each is described for the map."""

X, Y = "component 1", "component 2"
SET, RANK, DISTANCE, CANDIDATE = "set", "rank", "distance", "candidate"
"""Names of properties."""

POOL, FROM = "pool", "existing"
"""Values of :data:`SET`, besides those by :func:`of_design`."""

NONE = "(none)"
"""Value of a text that a structure does not have, though others have it."""


MANY = 20
"""Most values of a text, and of symbols, that the viewer takes."""


def of_design(design: str) -> str:
    """Return the value of :data:`SET` for the members of a design, which may have any name."""
    return f"design {design}"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A point of the map and its structure.

    Attributes
    ----------
    set : str
        Where it comes from.
    point : (2,) floats
    numbers, positions, cell : arrays
        Its structure; lengths in angstrom.
    rank, distance, candidate : float
        nan for what it does not have.
    texts : mapping of str to str
        ``config_type``, ``prototype`` and ``file``, those that it has.
    frame : float
        Its place in the file.
    """

    set: str
    point: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    rank: float = np.nan
    distance: float = np.nan
    candidate: float = np.nan
    texts: Mapping[str, str]
    frame: float = np.nan


def dataset(
    pool: str,
    points: pd.DataFrame,
    about: Mapping[str, Any],
    *,
    designs: Mapping[str, Sequence[Atoms]],
    existing: Sequence[tuple[Frame, np.ndarray]] = (),
    existing_size: int = 0,
    shards: Sequence[Path] = (),
    structures: int = STRUCTURES,
    atoms: int = ATOMS,
) -> dict[str, Any]:
    """Make the map of a pool: members of its designs first, then the set that they start from, then a sample.

    Parameters
    ----------
    pool : str
        Its name.
    points, about : DataFrame, mapping
        From :func:`gapdesign.quality.maps.coverage`.
    designs : mapping
        Structures of each design, in the order chosen.
    existing : sequence of (Frame, (2,) floats)
        Some of the structures that designs start from, and where these lie.
    existing_size : int
        Number of all of these.
    shards : sequence of path
        Candidates of the pool.
    structures, atoms : int
        Most of both. Where not all members fit, the last ranks are left out, and all else; the first one is shown
        whatever its size. Of the others, some are left out evenly.

    Returns
    -------
    dict
        What chemiscope reads (https://chemiscope.org/docs/python/json-format.html). Later points lie above earlier
        ones: first ranks are last.
    """
    everyone = _members(points, designs)
    members = _fitting(everyone, structures, atoms)
    room = structures - len(members), atoms - sum(len(one.numbers) for one in members)
    room = room if len(members) == len(everyone) else (0, 0)
    started = _thinned([_existing(*pair) for pair in existing], *room)
    room = room[0] - len(started), room[1] - sum(len(one.numbers) for one in started)
    chosen = {
        int(atoms.info["candidate"]) for frames in designs.values() for atoms in frames if not is_polished(atoms.info)
    }
    sample = points[(points["design"] == "") & ~points["candidate"].isin(chosen)]
    others = _thinned(_sample(sample.iloc[evenly(len(sample), room[0])] if room[0] else sample[:0], shards), *room)
    kinds = {"members of designs": (members, len(everyone))}
    kinds |= {"existing structures": (started, existing_size)} if existing_size else {}
    kinds |= {"other candidates": (others, about["size"] - len(chosen))}
    shown = [*others, *started, *reversed(members)]
    return {
        "meta": {"name": f"Pool {pool}", "description": _sentence(kinds)},
        "structures": [_structure(one) for one in shown],
        "properties": _properties(shown, [about["component_1"], about["component_2"]]),
        "settings": {
            "target": "structure",
            "map": {
                "x": {"property": X},
                "y": {"property": Y},
                "color": {"property": RANK, "palette": "viridis"},
                "symbol": SET,
                "size": {"factor": 35},
            },
            "structure": [{"unitCell": True, "bonds": False, "spaceFilling": False, "supercell": [_copies(shown)] * 3}],
            "pinned": [len(shown) - 1],
        },
    }


def text(value: Any) -> str:
    """Return a data set as JSON; like chemiscope, it writes NaN where a structure has no value."""
    return json.dumps(value, separators=(",", ":")) + "\n"


def _members(points: pd.DataFrame, designs: Mapping[str, Sequence[Atoms]]) -> list[Shown]:
    """Return the members of all designs by rank, and those of one rank in the order of the designs."""
    found = []
    for design, frames in designs.items():
        places = points.loc[points["design"] == design, ["x", "y"]].to_numpy()
        for rank, (atoms, point) in enumerate(zip(frames, places, strict=True)):
            found.append(
                Shown(
                    set=of_design(design),
                    point=point,
                    **_bare(atoms),
                    rank=rank,
                    distance=float(atoms.info.get("distance", np.nan)),
                    candidate=np.nan if is_polished(atoms.info) else int(atoms.info["candidate"]),
                    **_origin(atoms.info, "source_"),
                )
            )
    return sorted(found, key=lambda one: one.rank)


def _existing(frame: Frame, point: np.ndarray) -> Shown:
    from gapdesign.inputs.carried import carried

    info = carried(frame.atoms)["info"] | {"file": frame.source, "frame": frame.number}
    return Shown(set=FROM, point=point, **_bare(frame.atoms), **_origin(info))


def _sample(sample: pd.DataFrame, shards: Sequence[Path]) -> list[Shown]:
    """Return candidates of the pool, read shard by shard."""
    from gapdesign.inputs.carried import annotate
    from gapdesign.shards import shard_range
    from gapdesign.structures import read_batch

    candidates, places = sample["candidate"].to_numpy(), sample[["x", "y"]].to_numpy()
    found = []
    for path in shards:
        start, stop = shard_range(path)
        mine = np.flatnonzero((candidates >= start) & (candidates < stop))
        if not len(mine):
            continue
        batch: Batch = read_batch(path).take(candidates[mine] - start)
        for k, point in enumerate(places[mine]):
            atoms = batch.atoms(k)
            shown = Shown(set=POOL, point=point, **_bare(atoms), candidate=int(batch.candidates[k]), texts={})
            if batch.notes[k]:
                annotate(atoms, bytes(batch.notes[k]))
            found.append(Shown(**shown.__dict__ | _origin(atoms.info, "source_")))
    return found


def _bare(atoms: Atoms) -> dict[str, np.ndarray]:
    return {"numbers": atoms.numbers, "positions": atoms.positions, "cell": atoms.cell.array}


def _origin(info: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return what is known of a structure besides its atoms."""
    named = {"config_type": f"{prefix}config_type", "prototype": "prototype", "file": f"{prefix}file"}
    texts = {name: str(info[key]) for name, key in named.items() if str(info.get(key, ""))}
    return {"texts": texts, "frame": float(info.get(f"{prefix}frame", np.nan))}


def _fitting(shown: Sequence[Shown], structures: int, atoms: int) -> list[Shown]:
    """Return the first that fit, but at least one."""
    total = np.cumsum([len(one.numbers) for one in shown])
    return list(shown[: max(1, min(structures, int(np.searchsorted(total, atoms, side="right"))))])


def _thinned(shown: Sequence[Shown], structures: int, atoms: int) -> list[Shown]:
    """Return evenly spaced ones that fit."""
    many = min(len(shown), structures)
    while many > 0:
        kept = [shown[place] for place in evenly(len(shown), many)]
        total = sum(len(one.numbers) for one in kept)
        if total <= atoms:
            return kept
        many = min(many - 1, many * max(atoms, 0) // total)
    return []


def _structure(one: Shown) -> dict[str, Any]:
    from ase.data import chemical_symbols

    x, y, z = (np.round(one.positions, 3) + 0.0).T.tolist()
    found = {"size": len(one.numbers), "names": [chemical_symbols[z] for z in one.numbers]}
    found |= {"x": x, "y": y, "z": z}
    has_cell = np.abs(np.linalg.det(one.cell)) > 0
    return found | ({"cell": (np.round(one.cell, 3) + 0.0).ravel().tolist()} if has_cell else {})


def _copies(shown: Sequence[Shown]) -> int:
    """Return how often each cell is drawn along each axis: small ones tell nothing by themselves."""
    largest = max(len(one.numbers) for one in shown)
    return 3 if largest <= 8 else 2 if largest <= 32 else 1


def _properties(shown: Sequence[Shown], shares: Sequence[float]) -> dict[str, dict[str, Any]]:
    """Return the properties of the points, without those that none has, and without the file if there is one alone."""
    found = {}
    for place, name in enumerate((X, Y)):
        described = f"{percent(round(shares[place], 2))} of the variance of the kernel"
        found[name] = structure_property([float(one.point[place]) for one in shown], described)
    known: dict[str, tuple[str, Callable[[Shown], float]]] = {
        RANK: ("place in the design, from 0", lambda one: one.rank),
        DISTANCE: ("kernel distance to the earlier ranks when it was chosen", lambda one: one.distance),
        "atoms": ("number of atoms", lambda one: len(one.numbers)),
        CANDIDATE: ("index in the pool", lambda one: one.candidate),
        "frame": ("place in its file, from 0", lambda one: one.frame),
    }
    for name, (described, value) in known.items():
        values = [float(value(one)) if np.isfinite(value(one)) else np.nan for one in shown]
        if np.isfinite(values).any():
            found[name] = structure_property(values, described)
    found[SET] = structure_property(_frequent([one.set for one in shown], "other designs"), "where it comes from")
    for name in ("config_type", "prototype", "file"):
        texts = [one.texts.get(name, NONE) for one in shown]
        if set(texts) - {NONE} and (name != "file" or len(set(texts)) > 1):
            found[name] = structure_property(_frequent(texts, f"(other {name}s)"), f"{name} of its source")
    return found


def _frequent(texts: list[str], others: str) -> list[str]:
    """Return texts, all but the most frequent ones of too many replaced by one for all others."""
    counts = Counter(texts)
    if len(counts) <= MANY:
        return texts
    kept = {text for text, _ in counts.most_common(MANY - 1)}
    return [text if text in kept else others for text in texts]


def structure_property(values: list[Any], description: str, units: str = "") -> dict[str, Any]:
    """Return a property of chemiscope with a value per structure; numbers have six significant digits."""
    short = [float(f"{value:.6g}") if isinstance(value, float) else value for value in values]
    found = {"target": "structure", "values": short, "description": description}
    return found | ({"units": units} if units else {})


def _sentence(kinds: Mapping[str, tuple[Sequence[Shown], int]]) -> str:
    """Say how many of each kind are shown."""
    parts = []
    for kind, (shown, total) in kinds.items():
        some = "all" if len(shown) == total else f"{number(len(shown))} of the"
        parts.append(f"{some} {number(total)} {kind}" if total else f"no {kind}")
    return listing(parts)
