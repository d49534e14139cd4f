"""A plan as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gapdesign.planning import Plan, Stage

if TYPE_CHECKING:
    from gapdesign.config.study import Study
    from gapdesign.samplers.options import PoolOptions

_HEAD = ("stage", "jobs", "cluster jobs", "core-hours", "memory", "time limit", "longest job", "wall time", "disk")


def table(plan: Plan) -> str:
    """Write one table with a row per stage and their sum, and below it the sources of the figures."""
    study = plan.study
    sizes = dict.fromkeys(candidates(study.pools.of(pool)) for pool in study.pools.names)
    priced = study.priced()
    of = {(size, "at most " if name in priced else "") for name, size in study.budgets().items()}
    budgets = " and ".join(f"{words}{size}" for size, words in sorted(of))
    rows = [_HEAD, *(_row(stage) for stage in plan.stages if stage.jobs), _total(plan)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEAD))]
    lines = [
        row[0].ljust(widths[0])
        + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    rule = "-" * len(lines[0])
    return "\n".join(
        [
            f"Plan of {study.study}: {_counted(len(study.pools.names), 'pool')} of {' and '.join(sizes)} candidates,"
            f" {_counted(len(study.designs), 'design')} of {budgets} structures,"
            f" labels from {study.labels.engine}",
            "",
            *(lines[0], rule, *lines[1:-1], rule, lines[-1]),
            "",
            *_pools(study),
            *_labels(plan),
            *_models(plan),
            *_origins(plan),
            f"Wall time: with {plan.at_once} jobs at once, without waiting in a queue. Memory and time limit: per job,",
            "before profiles and --set-resources, which the plan does not read.",
            "Disk: at the end; labels are also in the store. All figures are for the whole study: existing results are",
            "not made again, and `snakemake -n` lists what would run now.",
        ]
    )


def candidates(pool: PoolOptions) -> str:
    """Return the number of candidates of a pool; of one that grows, the least and the most."""
    return str(pool.most) if pool.growth is None else f"{pool.growth.at_least} to {pool.most}"


def ends(pool: PoolOptions) -> str:
    """Return when a pool that grows ends, as a clause; nothing for others."""
    if pool.growth is None:
        return ""
    return f" (until a doubling changes the covering radius by no more than {100 * pool.growth.until:g} %)"


def _pools(study: Study) -> list[str]:
    """Return when pools that grow end, a line or two each."""
    lines = []
    for name in study.pools.names:
        if growth := study.pools.of(name).growth:
            sizes = ", ".join(map(str, growth.sizes[1:]))
            lines += [
                f"Pool {name} may end early: at the first of {sizes} candidates at which a doubling has changed the",
                f"  covering radius by no more than {100 * growth.until:g} %. All figures are for the last of these.",
            ]
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _row(stage: Stage) -> tuple[str, ...]:
    return (
        stage.name,
        str(stage.jobs),
        str(stage.cluster_jobs) if stage.cluster_jobs else "grouped" if stage.memory else "local",
        _core_hours(stage.core_hours),
        f"{stage.memory} MiB" if stage.memory else "",
        _hours(stage.minutes / 60) if stage.minutes else "",
        _hours(stage.longest),
        _hours(stage.wall),
        _bytes(stage.bytes),
    )


def _total(plan: Plan) -> tuple[str, ...]:
    """Return the row of sums; where a stage is unknown, the sum of the others is a lower bound."""

    def at_least(values: list[float | None], text: str) -> str:
        return f"> {text}" if None in values else text

    hours, wall = [s.core_hours for s in plan.stages], [s.wall for s in plan.stages]
    return (
        "total",
        str(sum(stage.jobs for stage in plan.stages)),
        str(sum(stage.cluster_jobs for stage in plan.stages)),
        at_least(hours, _core_hours(sum(value or 0 for value in hours))),
        f"{max(stage.memory for stage in plan.stages)} MiB",
        _hours(max(stage.minutes for stage in plan.stages) / 60),
        _hours(max(stage.longest or 0 for stage in plan.stages)),
        at_least(wall, _hours(sum(value or 0 for value in wall))),
        _bytes(sum(stage.bytes for stage in plan.stages)),
    )


def _labels(plan: Plan) -> list[str]:
    labels, hours = plan.labels, plan.label_hours
    if labels.there is None:
        known = f"at most {labels.wanted} to compute; how many the store has is unknown ({labels.why})"
    else:
        known = f"{labels.wanted} wanted, {labels.there} in {plan.study.labels.store} already"
        known += f", {labels.wanted - labels.there} to compute"
    bounds = [f"  {name}: labels of {most:g} core-hours at most." for name, most in plan.study.priced().items()]
    if hours is None:
        return [f"Labels: {known}; the cost of one is unknown.", *bounds]
    each = f"{hours:.2g} core-hours" if hours >= 0.01 else f"{3600 * hours:.2g} core-seconds"
    return [f"Labels: {known}.", f"  One takes {each}, as the engine {plan.study.labels.engine} estimates.", *bounds]


def _models(plan: Plan) -> list[str]:
    """Return what each kind of model costs on one core, a line each."""
    lines = []
    for kind, seconds in plan.models.items():
        if seconds is None:
            lines.append(f"Models of the kind {kind}: what they cost is unknown.")
            continue
        fit = f"{seconds.hyperparameters:.2g} and {seconds.fit:.2g}"
        lines.append(f"Models of the kind {kind}, on one core: {fit} s for hyperparameters and fit of a design,")
        each, atoms = seconds.predict, plan.atoms
        lines.append(f"  {1000 * each:.2g} ms to evaluate a structure, {1000 * each / atoms:.2g} ms an atom.")
    return lines


def _origins(plan: Plan) -> list[str]:
    """Return where the core-hours come from, in a line or more per source."""
    unknown = [stage.name for stage in plan.stages if stage.core_hours is None]
    own = [stage for stage in plan.stages if stage.timed and stage.core_hours is not None]
    rest = [stage.name for stage in plan.stages if stage.jobs and stage.name not in unknown and stage not in own]
    shipped = [name for name in rest if name != "labels"]
    lines = []
    if shipped:
        lines += [
            f"Core-hours of {', '.join(shipped)}:",
            f"  measured on {plan.units['machine']}, by `{plan.units['command']}`",
            f"  ({plan.units['setting']}), scaled to this study.",
        ]
    if own:
        names = ", ".join(stage.name for stage in own)
        jobs = sum(stage.timed for stage in own)
        lines += [
            f"Core-hours of {names}:",
            f"  scaled from {jobs} jobs of an earlier run, in {plan.results / 'benchmarks'}.",
        ]
    if "labels" in rest:
        origin = f"the estimate of the engine {plan.study.labels.engine} for the prototypes"
        priced, all_of_them = plan.study.priced(), len(plan.study.designs)
        origin = "the budgets of the designs" if len(priced) == all_of_them else origin
        more = f", and the budget of {' and '.join(priced)}" if 0 < len(priced) < all_of_them else ""
        lines.append(f"Core-hours of labels: {origin}{more}.")
    if unknown:
        lines += [
            f"Core-hours of {', '.join(unknown)}: unknown, since nothing like it was measured;",
            "  run a small study of the same name to measure it.",
        ]
    return lines


def _core_hours(hours: float | None) -> str:
    if hours is None:
        return "?"
    return f"{hours:.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 10 else f"{hours:.3f}"


def _hours(hours: float | None) -> str:
    """Write hours as h:mm:ss."""
    if hours is None:
        return "?"
    seconds = round(3600 * hours)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _bytes(size: int) -> str:
    if not size:
        return ""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{max(1, round(size / 1e3))} kB"
