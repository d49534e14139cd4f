"""One version of an engine for all labels of a run: recorded when the run begins, compared by every job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gapdesign.errors import InputError
from gapdesign.files import read_json, write_json

if TYPE_CHECKING:
    from ase import Atoms

    from gapdesign.engines.base import Engine

MARK = "labelled_by"
"""Key in the ``info`` of frames in batches: the :func:`mark` of the engine."""

_REMEDY = "labels that are in the store stay there"


def identity(engine: Engine) -> dict[str, Any]:
    """Return name, version and settings of an engine, which its labels depend on, in JSON types."""
    return {"engine": engine.name, "version": engine.version, "settings": dict(engine.settings)}


def record(engine: Engine, path: str | Path) -> None:
    """Write the :func:`identity` of an engine, and what it found in the user's files."""
    write_json(path, identity(engine) | ({"found": dict(found)} if (found := engine.found()) else {}))


def mark(engine: Engine) -> str:
    """Return a short checksum of the :func:`identity` of an engine."""
    return hashlib.sha256(_canonical(identity(engine)).encode()).hexdigest()[:16]


def refuse_other(engine: Engine, path: str | Path) -> None:
    """Check that an engine is the one that :func:`record` wrote down when the run began.

    Raises
    ------
    InputError
        If a program or file that labels come from, or a setting, is another one now.
    """
    then, now = read_json(path), identity(engine)
    for name in ("engine", "version", "settings"):
        if _canonical(then.get(name)) != _canonical(now[name]):
            raise InputError(
                f"labels.engine: {engine.name} is not what it was when this run began: {name}"
                f" '{_words(then.get(name))}' then, '{_words(now[name])}' now; restore what it was, or delete the"
                f" folder {Path(path).parent}, so that all labels are made by one version ({_REMEDY})."
            )


def refuse_change(engine: Engine) -> None:
    """Check that the files and programs of an engine are still those that it began with.

    Raises
    ------
    InputError
        If they are not; the label just made may be of either version.
    """
    now = engine.afresh().version
    if now != engine.version:
        raise InputError(
            f"labels.engine: {engine.name} changed while labels were made: version '{engine.version}' then,"
            f" '{now}' now; a run needs one version from its first label to its last."
        )


def refuse_mixture(frames: Iterable[Atoms], engine: Engine, design: str) -> None:
    """Check that labelled frames come from one version of the engine, as far as they say.

    Raises
    ------
    InputError
        If some come from another.
    """
    own = mark(engine)
    others = sum(atoms.info.get(MARK, own) != own for atoms in frames)
    if others:
        raise InputError(
            f"{design}: {others} labels in its batches come from another version or other settings of {engine.name}"
            f" than the present ones ({engine.version}); delete the folder labels/ of the results, so that all labels"
            f" are made by one version ({_REMEDY})."
        )


def _words(value: Any) -> str:
    return value if isinstance(value, str) else _canonical(value)


def _canonical(value: Mapping[str, Any] | Any) -> str:
    return json.dumps(value, sort_keys=True)
