"""Labels that are already in the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gapdesign import engines
from gapdesign.config.study import Study
from gapdesign.errors import InputError
from gapdesign.files import read_frames
from gapdesign.labels.store import LabelStore, label_key


@dataclass(frozen=True)
class Stored:
    """Labels that a study asks for, as far as they are known before it runs.

    Attributes
    ----------
    wanted
        Different structures to be labelled: exact once all designs exist, else the most there can be.
    there
        How many of them the store has; None if unknown.
    why
        Why it is unknown.
    """

    wanted: int
    there: int | None
    why: str = ""


def stored(study: Study, results: Path) -> Stored:
    """Look up the structures of all designs that exist in the store of labels.

    Parameters
    ----------
    study : Study
    results : Path
        Folder of the study's results, which may not exist yet.
    """
    budgets = study.budgets()
    most = sum(budget - study.known_to(name) for name, budget in budgets.items())
    files = {name: results / "designs" / f"{name}.extxyz" for name in study.designs}
    missing = [name for name, path in files.items() if not path.is_file()]
    if missing:
        why = "no design exists yet" if len(missing) == len(files) else f"{', '.join(missing)}: not designed yet"
        return Stored(most, None, why)
    frames = {name: read_frames(path) for name, path in files.items()}
    may_be_shorter = {*study.priced(), *study.later_rounds()}
    other = [
        f"{name} has not {budgets[name]} structures"
        for name, own in frames.items()
        if len(own) > budgets[name] or (len(own) < budgets[name] and name not in may_be_shorter)
    ]
    if other:
        return Stored(most, None, ", ".join(other))
    store, engine = LabelStore(study.labels.store), engines.make(study.labels.engine, study.labels)
    try:
        keys = {label_key(atoms, engine) for members in frames.values() for atoms in members}
    except InputError as error:
        return Stored(most, None, str(error).rstrip("."))
    return Stored(len(keys), sum(store.get(key) is not None for key in keys))
