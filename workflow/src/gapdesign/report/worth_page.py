"""The page of how much of a labelled set would have been enough."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from gapdesign.report.replay_figures import errors_figure
from gapdesign.report.set_page import Drawn, Page, Section
from gapdesign.report.words import count
from gapdesign.sets.worth import BLIND, CHOSEN, DRAWS, MEASURES, TITLE, Worth, table_of


def render(found: Worth, name: str, lines: Sequence[str]) -> str:
    """Write the page, with the lines that were said."""
    methods = {method.upper(): method for method in (CHOSEN, BLIND)}
    columns = ["share", "frames"]
    for kind in found.kinds:
        columns += [f"{kind}, {TITLE}", "random, mean", "nine in ten"]
    enough = max(found.enough(CHOSEN, kind) for kind in found.kinds)
    return Page(
        eyebrow="What a labelled set is worth",
        title=PurePath(name).name,
        lead=f"{enough} of {found.budgets[-1]} frames, chosen by {TITLE}, would have been enough: a linear model of"
        " them errs at most a tenth more than one of all.",
        facts=[
            count(found.budgets[-1], "frame") + " to train on",
            count(found.tested, "frame") + " for the test",
            count(found.functions, "function"),
            count(DRAWS, "random draw"),
        ],
        lines=lines,
        sections=[
            Section(
                name="curve",
                title="Learning curve",
                texts=[
                    "Linear potentials in functions of SOAP and of pair distances, fitted to energies, forces and"
                    f" virials of more and more frames: in the order of {TITLE}, and in {DRAWS} random orders. All are"
                    " tested on the same frames, a random fifth that none was trained on. Errors are root mean squares."
                    " A better model errs less everywhere; which frames it needs is much the same."
                ],
                columns=columns,
                rows=[
                    [cell.replace(" ", "\N{NO-BREAK SPACE}") if isinstance(cell, str) else cell for cell in row]
                    for row in table_of(found)
                ],
                note=" ".join(f"Errors of {kind} are in {MEASURES[kind][1]}." for kind in found.kinds),
                figures=["errors"],
            ),
            Section(
                name="equivalents",
                title="How many random frames do as well",
                columns=[f"frames by {TITLE}", "measure", "error", "random frames with the same", "why there is none"],
                rows=found.equivalents[["budget", "measure", "error", "random_structures", "note"]]
                .to_numpy(object)
                .tolist(),
            ),
        ],
        figures={
            "errors": Drawn(
                title="Errors against the number of frames",
                caption=f"Errors of energies and forces against the number of frames trained on: {TITLE}, with"
                " intervals that hold nine in ten test sets like this one, and random draws, their median and a band of"
                " nine in ten.",
                figure=errors_figure(found.errors, methods, core=None),
                file="worth.csv",
                table=found.errors,
            )
        },
    ).html("worth")
