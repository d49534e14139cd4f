"""What the programs compared with gapdesign read and write, in the folder of a study of methods on sets.

Each program has an environment of its own without gapdesign, so this module needs ASE and NumPy only. For each set it
reads `<set>/frames.extxyz` and `<set>/splits.json`, and writes `<set>/designs/<method>.csv`: split, draw, budget, rank
and frame, a row for each structure chosen. Labels are removed before a program sees a structure.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

Choose = Callable[[np.ndarray, Sequence[int]], dict[int, Sequence[int]]]
"""Take the candidates' places among the frames, and budgets; return for each budget places among the candidates."""

Prepare = Callable[[list[Atoms]], dict[str, Choose]]
"""Take all frames of a set; return for each method's name how it chooses."""


def bare(frames: Sequence[Atoms]) -> list[Atoms]:
    """Return structures without labels: elements, positions, cell and periodicity."""
    return [Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc) for atoms in frames]


def prefixes(order: Sequence[int], budgets: Sequence[int]) -> dict[int, Sequence[int]]:
    """Return the first structures of an order, for each budget."""
    return {budget: order[:budget] for budget in budgets}


def write(path: Path, rows: list[tuple[int, ...]]) -> None:
    """Write a table of chosen structures, which is never half there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("split", "draw", "budget", "rank", "frame"))
        table.writerows(rows)
    os.replace(temporary, path)


def choose_all(folder: Path, prepare: Prepare, n_splits: int) -> None:
    """Write the designs of all splits of one set."""
    plan = json.loads((folder / "splits.json").read_text(encoding="utf-8"))
    start = time.process_time()
    choosers = prepare(bare(ase.io.read(folder / "frames.extxyz", index=":")))
    print(f"{folder.name}: features, {time.process_time() - start:.1f} CPU s", flush=True)
    for name, choose in choosers.items():
        start, rows, short = time.process_time(), [], []
        for number, split in enumerate(plan["splits"][:n_splits]):
            candidates = np.array(split["candidates"])
            for budget, places in choose(candidates, plan["budgets"]).items():
                frames = [int(candidates[place]) for place in places]
                if len(set(frames)) != len(frames) or len(frames) > budget:
                    raise RuntimeError(f"{folder.name}, {name}: budget {budget} gave {len(frames)} structures")
                if len(frames) < budget:
                    short.append(f"{number}/{budget}: {len(frames)}")
                rows.extend((number, 0, budget, rank, frame) for rank, frame in enumerate(frames))
        write(folder / "designs" / f"{name}.csv", rows)
        print(f"{folder.name}: {name}, {time.process_time() - start:.1f} CPU s", flush=True)
        if short:
            print(f"{folder.name}: {name} chose fewer than asked (split/budget): {', '.join(short)}", flush=True)


def main(prepare: Prepare, description: str) -> None:
    """Run one program over the sets of a study."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of the study, such as results/methods-on-sets")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="sets to do; all by default")
    parser.add_argument("--splits", type=int, default=10, help="how many splits of each set; all ten by default")
    arguments = parser.parse_args()
    names = arguments.sets or sorted(path.parent.name for path in arguments.results.glob("*/splits.json"))
    for name in names:
        choose_all(arguments.results / name, prepare, arguments.splits)
