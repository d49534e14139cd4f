"""A configuration that differs from the default in every key, made from the types of the configuration itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from gapdesign.config.options import Options
from gapdesign.config.study import Study

GIVEN: dict[str, Any] = {
    "study": "other",
    "seed": 11,
    "prototypes": {
        "fcc": {"element": "Cu", "lattice": "fcc", "a": 3.615},
        "hcp": {"element": "Cu", "lattice": "hcp", "a": 2.55, "c": 4.17},
    },
    "elements": None,  # those of the prototypes
    "pools.biased.after": None,  # candidates of all pools are made without labels
    "pools.biased.descriptor": {"backend": "quippy", "arguments": {"r_cut": 4.5}},
    "pools.file.atoms": [2, 9],
    "pools.file.elements": ["Cu"],
    "pools.names": ["P", "Q"],
    "pools.size": 40,
    "pools.shard_size": 40,
    "pools.sampler": "strain_components",
    "pools.mixture": {"strain": 2.0, "rattle": 1.0},
    "pools.strain_components.max": 0.06,
    "pools.rattle.atoms": 2,
    "pools.constraints.min_distance": 0.5,
    "pools.constraints.max_strain": 0.9,
    "pools.constraints.density": [1.0, 30.0],
    "pools.constraints.max_aspect": 40.0,
    "pools.overrides": {"Q": {"size": 30, "sampler": "rattle"}},
    "comparison.unions": {"BOTH": ["M", "R"]},
    "comparison.scaled_by": "P",
    "comparison.learnt": [20],
    "comparison.splits": 3,
    "descriptor.backend": "quippy",
    "descriptor.soap": {"r_cut": 4.6, "n_max": 3, "l_max": 3, "sigma": 0.4, "compression": "one_element"},
    "kernel.pair": {"r_cut": 4.8, "length": 0.25, "scale": 0.7, "transition": 0.4},
    "kernel.soap": {"form": "gaussian", "zeta": 2, "length": 0.4, "scale": 0.4},
    "budget": 8,
    "costs": {"unit": "seconds", "cores": 2.0},
    "designs": {
        "C": {"pool": "P", "method": "maxmin", "budget": {"core_hours": 0.0065, "at_most": 7}},
        "M": {"pool": "Q", "method": "maxmin", "start": 3},
        "F": {"pool": "P", "method": "fps"},
        "R": {"pool": "P", "method": "random"},
    },
    "selection.memory": 256,
    "quality.draws": 3,
    "quality.sample": 25,
    "quality.subpools": 1,
    "labels.engine": "ase",
    "labels.chunk": 8,
    "labels.cores": 2,
    "labels.store": "other-store",
    "labels.reserve": 2,
    "labels.max_failed": 0.5,
    "labels.limits": {"min_angle": 5.0, "max_aspect": 40.0},
    "labels.max_core_hours": 5.0,
    "labels.scratch": "scratch",
    "labels.keep": "all",
    "labels.file.energy_key": "E",
    "labels.file.forces_key": "F",
    "labels.file.virial_key": "V",
    "labels.file.stress_key": "S",
    "labels.ase": {
        "calculator": "ase.calculators.lj.LennardJones",
        "arguments": {"sigma": 2.27, "epsilon": 0.4, "rc": 5.0, "smooth": True},
        "isolated_arguments": {"rc": 4.0},
        "isolated_box": 15.0,
        "core_hours": 0.001,
    },
    "model.kind": "gap",
    "model.sparse.jitter": 1e-7,
    "model.optimizer": "cma",
    "model.cma": {"population": 6, "generations": 4, "restarts": 1},
    "properties.compute": ["volumes", "lattice", "dimer"],
    "properties.reference": ["lattice"],
    "properties.max_steps": 30,
    "properties.max_force": 0.002,
    "properties.volumes": {"range": 0.04, "points": 5},
    "properties.dimer": {"nearest": 0.7, "points": 6},
    "properties.phonons.crystals": ["hcp"],
    "properties.nve.crystals": ["hcp"],
    "properties.published": {"of": "Cu", "source": "CRC", "values": {"fcc": {"a": 3.61}}},
    "replay.core": "Q",
    "replay.budgets": [3, 6],
    "replay.draws": 2,
    "replay.test": 0.3,
    "replay.points": 20,
    "replay.sample": 60,
    "replay.report": True,
    "replay.surfaces.prototype": "fcc",
    "replay.surfaces.reference": {"100": 1.5},
}
"""Values that a study can run with, fast; all others are made up from the types."""


def other_configuration() -> dict[str, Any]:
    """Return a configuration, as a YAML file would give it, that differs from the default in every key."""
    return json.loads(json.dumps(other(Study)))


def other(model: type[Options], prefix: str = "") -> dict[str, Any]:
    """Return a value for every key of a block that is valid and not the default."""
    made = {}
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        block = _block(field.annotation)
        if path in GIVEN:
            made[name] = GIVEN[path]
        elif block is not None and field.default is not None:
            made[name] = other(block, f"{path}.")
        elif block is None:
            made[name] = next(_valid(model, name, field))
    return made


def leaves(document: Any, prefix: str = "") -> dict[str, Any]:
    """Return the values of a nested mapping by their dotted paths."""
    if isinstance(document, dict) and document:
        return {p: v for key, value in document.items() for p, v in leaves(value, f"{prefix}.{key}").items()}
    return {prefix.removeprefix("."): document}


def _block(annotation: Any) -> type[Options] | None:
    kinds = [annotation, *(get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ())]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Options)), None)


def _valid(model: type[Options], name: str, field: Any) -> Iterator[Any]:
    for value in _candidates(field.annotation, field.default):
        try:
            block = model.model_validate({name: value})
        except ValidationError:
            continue
        if getattr(block, name) != field.default:
            yield value
    raise AssertionError(f"{model.__name__}.{name}: give it a value in GIVEN")


def _candidates(annotation: Any, default: Any) -> Iterator[Any]:
    """Values of a type, near the default."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        for kind in arguments:
            if kind is not NoneType:
                yield from _candidates(kind, default)
    elif origin is Literal:
        yield from arguments
    elif isinstance(default, bool) or annotation is bool:
        yield not default
    elif isinstance(default, int | float):
        yield from (default + 1, default - 1, default * 1.1, default * 0.9, default + 0.001)
    elif isinstance(default, tuple):
        yield tuple(reversed(default))
        yield default[:-1]
        yield tuple(value * 1.1 if isinstance(value, float) else value for value in default)
        yield tuple(value + 1 if isinstance(value, int) else value for value in default)
        yield ("Q",)
    elif isinstance(default, dict):
        if default:
            yield {key: next(_candidates(type(value), value)) for key, value in default.items()}
        yield {"Cu": 0.5}
        yield {"Cu": "other"}
        yield {"encut": 450}
    elif isinstance(default, str):
        yield from (f"{default}-other", f"{default}.other", "Other")
    else:
        yield from (1, 0.5, "Cu", "other", ("other",), {"Cu": 0.5}, ("Q",), (3, 3, 3))
