"""Names that the user gives to pools and designs, and that become names of files and folders."""

from __future__ import annotations

from collections.abc import Iterable

from gapdesign.errors import InputError

DESIGNS = {
    "batches": "a folder of labels",
    "bounds": "the bounds of the replay",
    "compressed": "a folder of compressed features",
    "crossval": "the table of all models",
    "engine": "the engine of the labels",
    "failed": "structures without a label",
    "figures": "the figures of the properties",
    "fits": "a folder of the replay",
    "isolated": "the labels of isolated atoms",
    "isolated_atom": "the type of isolated atoms",
    "quality": "a folder of measures",
    "reference": "the reference engine among the properties",
    "regrown": "a folder of designs chosen again",
    "reserve": "a folder of ranks in reserve",
    "runs": "the folder of kept calculations",
    "state": "a folder of states of the selection",
    "table": "the table of the properties",
}
"""Names that no design may have, whatever their case, each with what has it."""

POOLS = {
    "convert": "the conversion of structures",
    "coverage": "the coverage of pools",
    "environments": "a folder of environments",
    "frames": "a folder of frames",
    "pools": "the comparison of pools",
    "refused": "the table of refused candidates",
    "sums": "a folder of sums of features",
}
"""Names that no pool may have, whatever their case, each with what has it."""


def check_names(pools: Iterable[str], designs: Iterable[str]) -> None:
    """Check that no two names, and no name and a name of the layout, mean the same file.

    Raises
    ------
    InputError
        For the first name that does; file systems may take names that differ by case only for the same.
    """
    _check("pools.names", tuple(pools), POOLS)
    _check("designs", tuple(designs), DESIGNS)


def _check(key: str, names: tuple[str, ...], taken: dict[str, str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        lower = name.lower()
        where = f"{key}: '{name}'" if key == "pools.names" else f"{key}.{name}"
        if lower in taken:
            raise InputError(f"{where}: this name is taken by {taken[lower]}; choose another.")
        if lower in first:
            if first[lower] == name:
                raise InputError(f"{key}: {list(names)} has a name twice; give each pool a name of its own.")
            raise InputError(
                f"{where}: it differs from '{first[lower]}' by the case of letters only, which some file systems do not"
                " see; choose another name."
            )
        first[lower] = name
