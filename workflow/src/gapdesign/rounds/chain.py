"""Designs that stand for `rounds`, one for each, and their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gapdesign.errors import InputError
from gapdesign.rounds.options import SOONEST, AfterOptions, RoundsOptions

if TYPE_CHECKING:
    from gapdesign.methods.options import Budget, DesignOptions


def written_out(designs: Mapping[str, DesignOptions], budget: Budget) -> dict[str, DesignOptions]:
    """Return designs of one round each, those that continue others behind all that do not.

    `OPT: {rounds: 3}` stands for `OPT_1`, `OPT_2` and `OPT_3`, which have a third, two thirds and all of the budget.

    Raises
    ------
    InputError
        If a name is taken already, a design continues none that is there, or pools are not one for each later round.
    """
    found: dict[str, DesignOptions] = {}
    for name, design in designs.items():
        own = {name: design} if design.rounds is None else _rounds(name, design, budget)
        for each in own:
            if each in found or (each != name and each in designs):
                raise InputError(f"designs.{name}.rounds: a design '{each}' is there already; rename one of them.")
        found |= own
    depths = {name: _depth(name, found) for name in found}
    return {name: found[name] for name in sorted(found, key=depths.__getitem__)}


def chain(name: str, designs: Mapping[str, DesignOptions]) -> list[str]:
    """Return a design and those that it continues, directly or not, the latest first."""
    names = [name]
    while (after := designs[names[-1]].after) is not None:
        names.append(after.design)
    return names


def _depth(name: str, designs: Mapping[str, DesignOptions]) -> int:
    """Return how many designs one continues."""
    depth, seen = 0, {name}
    while (after := designs[name].after) is not None:
        if after.design not in designs:
            raise InputError(
                f"designs.{name}.after.design: there is no design '{after.design}'; choose from {', '.join(designs)}."
            )
        if after.design in seen:
            raise InputError(f"designs.{name}.after.design: '{after.design}' continues this one itself; name another.")
        name = after.design
        seen.add(name)
        depth += 1
    return depth


def _rounds(name: str, design: DesignOptions, budget: Budget) -> dict[str, DesignOptions]:
    asked = design.rounds
    rounds = asked if isinstance(asked, RoundsOptions) else RoundsOptions(count=asked)
    if rounds.pools and len(rounds.pools) != rounds.count - 1:
        raise InputError(
            f"designs.{name}.rounds.pools: {len(rounds.pools)} pools for the {rounds.count - 1} rounds after the first;"
            " name one for each."
        )
    whole = budget if design.budget is None else design.budget
    found, before = {}, None
    for number in range(1, rounds.count + 1):
        own = {"rounds": None, "budget": _share(whole, number, rounds.count)}
        own["compared"] = design.compared and number == rounds.count
        if before is not None:
            stop = rounds.stop if number >= SOONEST else None
            own["after"] = AfterOptions(design=before, rescaled=rounds.rescaled, stop=stop)
            own["start"] = None
            own |= {"pool": rounds.pools[number - 2]} if rounds.pools else {}
        before = f"{name}_{number}"
        found[before] = design.model_copy(update=own)
    return found


def _share(whole: Budget, number: int, count: int) -> Budget:
    """Return the budget of the first rounds together, rounded up."""
    if isinstance(whole, int):
        return -(-whole * number // count)
    most = None if whole.at_most is None else -(-whole.at_most * number // count)
    return whole.model_copy(update={"core_hours": whole.core_hours * number / count, "at_most": most})
