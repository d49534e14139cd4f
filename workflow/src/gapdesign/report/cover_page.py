"""The page of what one set of frames does not know of another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from gapdesign.report.set_figures import cover_figure
from gapdesign.report.set_page import Drawn, Page, Section
from gapdesign.report.words import count, number
from gapdesign.sets.cover import Cover
from gapdesign.sets.held import FrameSet

FARTHEST = 20
"""Frames in the table of those that are farthest."""


def render(found: Cover, mine: FrameSet, theirs: FrameSet, lines: Sequence[str]) -> str:
    """Write the page, with the lines that were said."""
    table = found.table(theirs, mine)
    worst = table.loc[found.uncovered[:FARTHEST]]
    share = f"{len(found.uncovered)} of {len(theirs)}"
    return Page(
        eyebrow="What one set does not know of another",
        title=PurePath(theirs.name).name,
        lead=(
            f"{share} frames are farther from all frames of {mine.name} than these typically are from one another."
            if len(found.uncovered)
            else f"{mine.name} covers all {len(theirs)} frames: none is farther from it than its own frames typically"
            " are from one another."
        ),
        lines=lines,
        facts=[
            f"mine: {mine.name}, {count(len(mine), 'frame')}",
            f"theirs: {theirs.name}, {count(len(theirs), 'frame')}",
            f"spacing of mine {number(found.spacing)}, largest {number(found.gap)}",
        ],
        sections=[
            Section(
                name="groups",
                title="By config_type",
                texts=[
                    "The distance is the kernel distance D, from 0 (the model cannot tell the two apart) to 1.41 (they"
                    " have nothing in common), from each frame to the nearest frame of mine. A frame is uncovered where"
                    " it is farther than the spacing of mine: the median, over the frames of mine, of the distance to"
                    " the nearest other one that does not coincide with it."
                ],
                columns=["config_type", "frames", "uncovered", "median distance", "farthest", "its frame"],
                rows=[[group["config_type"] or "none", *list(group.values())[1:]] for group in found.groups(theirs)],
                figures=["cover"],
            ),
            Section(
                name="frames",
                title="The farthest frames",
                columns=["frame", "config_type", "formula", "distance", "nearest of mine"],
                rows=worst[["frame", "config_type", "formula", "distance", "nearest"]].to_numpy(object).tolist(),
                note="Frames count from 0 in their files. Many frames that are far from mine may be much alike;"
                " gapdesign pick with --existing chooses those that are worth a label.",
            ),
        ],
        figures={
            "cover": Drawn(
                title="Distances of their frames from mine",
                caption="Left: kernel distances of their frames from the nearest of mine, beside those of my frames"
                " from their nearest other. Right: the same by config_type, a frame a point, the farthest group on top."
                " The broken line is the spacing of mine.",
                figure=cover_figure(table, found.own, found.spacing),
                file="distances.csv",
                table=table,
            )
        },
    ).html("cover")
