"""A configuration as the pages show it: in words, without the parts not in use, and in full as YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from gapdesign.descriptors import DESCRIPTORS
from gapdesign.engines import ENGINES
from gapdesign.methods import METHODS
from gapdesign.models import MODELS
from gapdesign.models.gap.options import GapOptions
from gapdesign.properties.options import Name
from gapdesign.report import words
from gapdesign.report.style import are_many


def asked(configuration: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Describe a configuration in words: pairs of a term and its description."""
    rows = []
    for key, value in _in_use(configuration).items():
        if key == "study":
            continue
        if key == "pools" and isinstance(value, Mapping):
            rows.append(("candidates", _pools(value)))
        elif key == "designs" and isinstance(value, Mapping):
            rows.append(("designs", "; ".join(_designs(value))))
        elif key == "budget" and isinstance(value, int | Mapping):
            own = any(part.get("budget") for part in configuration.get("designs", {}).values())
            rows.append(("budget", f"{words.budget(value)} per design{' without its own' if own else ''}"))
        elif key == "prototypes" and isinstance(value, Mapping):
            rows.append(("prototypes", "; ".join(f"{name}: {words.plain(part)}" for name, part in value.items())))
        else:
            rows.append((str(key).replace("_", " "), words.plain(value)))
    return [row for row in rows if row[1]]


def tests_only(configuration: Mapping[str, Any]) -> list[str]:
    """Return the designs that no model is fitted to."""
    designs = configuration.get("designs") or {}
    return [name for name, part in designs.items() if isinstance(part, Mapping) and not part.get("fit", True)]


def as_yaml(configuration: Mapping[str, Any]) -> str:
    """Write a whole configuration as YAML."""
    import json

    import yaml

    return yaml.safe_dump(json.loads(json.dumps(configuration, default=str)), sort_keys=False, allow_unicode=True)


def _in_use(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without members of families not chosen, and without parts that no report waits for."""
    used, optimizers = dict(configuration), get_args(GapOptions.model_fields["optimizer"].annotation)
    families = (
        ("descriptor", "backend", DESCRIPTORS),
        ("labels", "engine", ENGINES),
        ("model", "optimizer", optimizers),
    )
    for part, choice, members in families:
        if isinstance(given := configuration.get(part), Mapping):
            used[part] = {key: value for key, value in given.items() if key not in members or key == given.get(choice)}
    if isinstance(given := used.get("model"), Mapping):
        kind = given.get("kind")
        used["model"] = {key: value for key, value in given.items() if key not in MODELS or key == kind}
    if used.get("models"):
        used.pop("model", None)
    if isinstance(given := configuration.get("properties"), Mapping):
        unused = {"published", *get_args(Name)} - set(given.get("compute", ()))
        used["properties"] = {key: value for key, value in given.items() if key not in unused}
    used.pop("comparison", None)
    if not any(_reads_rows(part) for part in (configuration.get("designs") or {}).values()):
        used.pop("rows", None)
    if not (configuration.get("replay") or {}).get("report"):
        used.pop("replay", None)
    return used


def _reads_rows(design: Any) -> bool:
    """Return whether a design is chosen by what labels teach."""
    name = design.get("method") if isinstance(design, Mapping) else None
    return name in METHODS and METHODS[name].reads_rows(METHODS[name].Options())


def _pools(pools: Mapping[str, Any]) -> str:
    names, sampler = list(map(str, pools.get("names", []))), pools.get("sampler")
    size = pools.get("size")
    text = f"{'pool' if len(names) == 1 else 'pools'} {words.listing(names)}"
    if size is not None:
        text += f" of {_size(size)} structures each"
    options = pools.get(sampler) if isinstance(sampler, str) else None
    text += f", sampler {words.plain(sampler)}" if sampler else ""
    text += f" ({words.plain(options)})" if options else ""
    own = pools.get("overrides") or {}
    return text + "".join(f"; {name}: {words.plain(part)}" for name, part in own.items())


def _size(size: Any) -> str:
    """Describe the number of candidates of a pool, or of one that grows."""
    if not isinstance(size, Mapping):
        return words.number(size) if isinstance(size, int) else words.plain(size)
    most = f"{words.number(size['at_least'])} to {words.number(size['at_most'])}"
    return f"{most} (until a doubling changes the covering radius by no more than {words.percent(size['until'])})"


def _designs(designs: Mapping[str, Any]) -> Iterator[str]:
    """Describe each design; of many, those that differ by their pools only are described together."""
    methods = {name: str(part.get("method")) for name, part in designs.items() if isinstance(part, Mapping)}
    if not are_many(methods):
        yield from (f"{name}: {_design(part)}" for name, part in designs.items())
        return
    alike: dict[str, list[str]] = {}
    for name, part in designs.items():
        alike.setdefault(words.plain({**part, "pool": "", "after": bool(part.get("after"))}), []).append(name)
    for names in alike.values():
        parts = [designs[name] for name in names]
        pools = list(dict.fromkeys(str(part.get("pool")) for part in parts))
        called = words.listing(names) if len(names) <= 2 else f"{names[0]} to {names[-1]} ({len(names)})"
        yield f"{called}: {_design(parts[0], pools)}"


def _design(part: Any, pools: Sequence[str] = ()) -> str:
    if not isinstance(part, Mapping):
        return words.plain(part)
    pool = f"pools {words.listing(pools)}" if len(pools) > 1 else f"pool {part.get('pool', '?')}"
    known = ("method", "pool", "fit", "after", "compared")
    rest = {key: value for key, value in part.items() if key not in known and value not in (None, {}, [])}
    text = f"{words.method_name(str(part.get('method', '?')))} from {pool}"
    text += "" if part.get("fit", True) else ", a test set only"
    text += f", after {part['after']['design']}" if part.get("after") else ""
    return text + (f", {words.plain(rest)}" if rest else "")
