"""The page of an audit of a set."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np

from gapdesign.report.set_figures import alike_figure, audit_figure
from gapdesign.report.set_page import Drawn, Page, Section
from gapdesign.report.words import count
from gapdesign.sets.audit import Audit

KEYS = 60
"""Keys in the table of keys."""


def render(found: Audit) -> str:
    """Write the page."""
    read = {name: what for what, names in found.tally.by_key.items() for name in names}
    numbers = {place: row for row, place in enumerate(found.structures)}
    marked = np.zeros(len(found.structures), bool)
    for finding in found.suspicious:
        marked[[numbers[place] for place in finding.places if place in numbers]] = True
    figures = {}
    if len(found.table):
        figures["audit"] = Drawn(
            title="Energy, largest force and nearest distance of each structure",
            caption="Each structure a point, in the order of the files, coloured by config_type. A ring marks those"
            " that a finding which is wrong or suspicious names. Energies are per atom, beyond the sum over the"
            " elements that most structures follow.",
            figure=audit_figure(found.table, marked),
            file="audit.csv",
            table=found.table,
        )
    distances = found.table["distance"].dropna().to_numpy(float)
    if len(distances):
        figures["alike"] = Drawn(
            title="Distances of structures from their nearest other",
            caption="Kernel distance of each structure from the nearest other; structures that are there twice are in"
            " the bar on the left. The broken line is a tenth of the spacing of the set, their median.",
            figure=alike_figure(distances, found.alike.near),
            file="audit.csv",
            table=found.table,
        )
    worst = found.findings[0].severity if found.findings else ""
    leads = {
        "wrong": "Some labels of this set contradict others. Correct them before anything is fitted.",
        "suspicious": "No label of this set contradicts others, but something is suspicious.",
    }
    return Page(
        eyebrow="Audit of a set",
        title=PurePath(found.name).name,
        lead=leads.get(worst, "Nothing suspicious was found."),
        facts=[count(len(found.frames), "frame"), found.counts()],
        lines=found.read(),
        sections=[
            Section(
                name="findings",
                title="Findings",
                texts=[] if found.findings else ["There are none."],
                columns=["severity", "about", "finding", "what to do"],
                rows=[[each.severity, each.about, each.sentence, each.remedy] for each in found.findings],
                note="wrong: labels contradict each other. suspicious: probably a mistake. note: good to know. Frames"
                " count from 0 in their files.",
                figures=list(figures),
            ),
            Section(
                name="groups",
                title="By config_type",
                columns=["config_type", "frames", "atoms", "energies", "forces", "virials"],
                rows=[[name or "none", *rest] for name, *rest in found.groups()],
            ),
            Section(
                name="keys",
                title="Keys",
                texts=["All keys of the frames, besides species, positions, cell and pbc."],
                columns=["key", "frames", "read as", "looks like"],
                rows=[[key.name, len(key.places), read.get(key.name, ""), key.looks] for key in found.keys[:KEYS]],
                note=f"and {len(found.keys) - KEYS} more" if len(found.keys) > KEYS else "",
            ),
        ],
        figures=figures,
    ).html("audit")
