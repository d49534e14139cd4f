"""The verb that says how much of a labelled set would have been enough."""

from __future__ import annotations

import argparse
from pathlib import Path

from gapdesign.cli.arguments import add, answer, say
from gapdesign.cli.audit import add_keys, as_flags, keys_of
from gapdesign.cli.sets import file_of, refuse_overwriting


def register(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this module."""
    verb = add(
        verbs,
        "worth",
        _worth,
        "find how much of a labelled set would have been enough",
        "Trains linear potentials on more and more of the set, chosen as by `pick` and at random, tests all of them\n"
        "on the same random fifth, and says which part is as good as the whole. Of sets with more than 15,000 atoms\n"
        "it takes a random sample, and says so; `snakemake replay` takes all, and potentials as good as you like.\n"
        "\n"
        "Writes a table of errors, and a page with the learning curve. Labels are read as by audit.\n"
        "\n"
        "example: gapdesign worth training.xyz\n"
        "example: gapdesign worth mo.xyz --energy-key dft_energy --forces-key dft_force",
    )
    verb.add_argument("file", metavar="FILE", help="labelled frames that ASE reads; - for extended XYZ from stdin")
    add_keys(verb)
    verb.add_argument("--seed", type=int, default=0, metavar="SEED", help="of test set and random draws (%(default)s)")
    for flag, name, what in (
        ("--output-table", "worth.csv", "errors to write"),
        ("--output-page", "worth.html", "page to write"),
    ):
        verb.add_argument(flag, type=Path, default=Path(name), metavar="FILE", help=f"{what} (%(default)s)")


def _worth(arguments: argparse.Namespace) -> None:
    from gapdesign.files import write_csv, write_text
    from gapdesign.inputs.frames import read
    from gapdesign.inputs.labels import in_words as labels_in_words
    from gapdesign.inputs.labels import of_frames
    from gapdesign.report.worth_page import render
    from gapdesign.sets.worth import CHOSEN, TITLE, in_words, table_of, worth

    refuse_overwriting(arguments, arguments.file)
    with as_flags(), file_of(arguments.file) as (path, name):
        labelled, tally = of_frames(read(path, "FILE"), keys_of(arguments))
    found = worth(labelled, name, seed=arguments.seed, progress=say)
    used = found.budgets[-1] + found.tested
    sampled = f", a random sample of {found.given}" if used < found.given else ""
    lines = [
        f"{name}: {labels_in_words(tally.data())}",
        f"{used} frames are used{sampled}: {found.budgets[-1]} to train on, {found.tested} for the test",
        *in_words(found),
    ]
    for line in lines:
        answer(line)
    heads = [f"{kind}: {TITLE}, random, nine in ten" for kind in found.kinds]
    answer(f"errors by share and frames ({'; '.join(heads)}; meV/atom, meV/angstrom):")
    for row in table_of(found):
        answer("  ".join(f"{cell:>9.3g}" if isinstance(cell, float) else f"{cell:>9}" for cell in row))
    write_csv(arguments.output_table, found.errors)
    write_text(arguments.output_page, render(found, name, lines))
    enough = max(found.enough(CHOSEN, kind) for kind in found.kinds)
    answer(
        f"next: gapdesign pick {name} {round(enough * found.given / found.budgets[-1])} writes such a part of the set"
    )
