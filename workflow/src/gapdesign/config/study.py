"""The configuration of a study: typed, described, checked; the schema and its documentation come from here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ase.data import chemical_symbols
from pydantic import Field, ValidationError

from gapdesign import methods, samplers
from gapdesign.comparison.pools import ComparisonOptions
from gapdesign.config.mistakes import sentence
from gapdesign.config.options import Identifier, Options
from gapdesign.descriptors import layout
from gapdesign.descriptors.covariance import Covariance
from gapdesign.descriptors.options import DescriptorOptions, KernelOptions
from gapdesign.engines import LabelOptions
from gapdesign.errors import InputError
from gapdesign.methods import DesignOptions, SelectionOptions
from gapdesign.models.gap.options import ModelOptions
from gapdesign.properties.options import MEASURED, PropertiesOptions, mismatch
from gapdesign.quality.curves import QualityOptions, subpool_sizes
from gapdesign.replay.options import ReplayOptions
from gapdesign.samplers import PoolOptions
from gapdesign.structures import PrototypeOptions, nearest_neighbour, prototypes

DEFAULT = "config/config.yaml"


class Study(Options):
    """A study: everything it makes is under `results/<study>/`."""

    study: Identifier = Field("zr-demo", description="Name of the study and of its folder under `results/`.")
    seed: int = Field(2025, ge=0, description="Seed of everything random.")
    prototypes: dict[Identifier, PrototypeOptions] = Field(
        {},
        min_length=1,
        description="Crystals that candidates are made from, each under a name of its own; required.",
    )
    pools: PoolOptions = Field(PoolOptions(), description="Candidates.")
    comparison: ComparisonOptions = Field(ComparisonOptions(), description="Pools compared before any label.")
    descriptor: DescriptorOptions = Field(DescriptorOptions(), description="Features of structures.")
    kernel: KernelOptions = Field(KernelOptions(), description="Covariance of structures, and so their distance.")
    budget: int = Field(100, ge=1, description="Structures in each design.")
    designs: dict[Identifier, DesignOptions] = Field(
        {}, min_length=1, description="Training sets to be chosen, each under a name of its own; required."
    )
    selection: SelectionOptions = Field(SelectionOptions(), description="How selection jobs run.")
    quality: QualityOptions = Field(QualityOptions(), description="The design page.")
    labels: LabelOptions = Field(LabelOptions(), description="Reference energies, forces and virials.")
    model: ModelOptions = Field(ModelOptions(), description="Gaussian approximation potentials.")
    properties: PropertiesOptions = Field(PropertiesOptions(), description="What the models are worth.")
    replay: ReplayOptions = Field(ReplayOptions(), description="Designs judged on labels that are there already.")

    def species(self) -> list[int]:
        """Atomic numbers in the study, increasing."""
        return sorted({int(z) for prototype in prototypes(self.prototypes) for z in prototype.atoms.numbers})

    def symbols(self) -> list[str]:
        """Chemical symbols in the study, by increasing atomic number."""
        return [chemical_symbols[z] for z in self.species()]

    def methods(self) -> dict[str, str]:
        """Designs and the methods that choose them, in order."""
        return {name: design.method for name, design in self.designs.items()}

    def reserve(self) -> int:
        """Ranks that each design is to have beyond its budget."""
        return -(-self.budget // 10) + 5 if self.labels.reserve is None else self.labels.reserve

    def subpools(self, design: str) -> list[int]:
        """Candidates of the smaller pools that a design is chosen from again, increasing."""
        asked = self.designs[design]
        if self.kernel.structure != "average" or asked.reads_environments:
            return []
        return subpool_sizes(self.pools.of(asked.pool).size, self.budget, asked.method, self.quality.subpools)

    def covariance(self) -> Covariance:
        """The covariance of structures that the study asks for."""
        return Covariance(layout(self.descriptor, self.kernel.pair, self.species()), self.kernel)


REVISIONS = {
    "candidates": 2,
    "descriptors": 1,
    "design": 1,
    "labels": 1,
    "model": 1,
    "crossval": 1,
    "properties": 1,
    "replay": 1,
    "report": 2,
}
"""Bumped when a change of the library alters the results of a stage, so that reruns notice."""

_FEATURES = ("descriptor", "kernel.pair.r_cut", "kernel.pair.length", "kernel.pair.transition", "prototypes")
_COVARIANCE = ("kernel.soap", "kernel.pair")
_DISTANCES = ("descriptor", *_COVARIANCE, "prototypes")
_SIZES = ("seed", "budget", "pools.size")
_ENGINE = ("labels.engine", "labels.{engine}")
_GATE = ("pools.constraints.min_distance", "labels.limits", "labels.max_core_hours")
_PROPERTIES = ("seed", "prototypes", "descriptor.soap.r_cut", "kernel.pair.r_cut", *MEASURED)
_MODEL = ("seed", "descriptor.soap", *_COVARIANCE, "model", "prototypes")
_BASIS = ("descriptor.soap", "kernel.soap", "kernel.pair", "model.soap_transition", "model.sparse", "prototypes")
_SIGMAS = ("replay.energy_sigma", "model.sigma")
_REPLAY_LABELS = ("labels.engine", "labels.file", "prototypes")
_READS: dict[str, tuple[str, tuple[str, ...]]] = {
    "candidates": (
        "candidates",
        ("seed", "prototypes", "pools.sampler", "pools.{sampler}", "pools.constraints"),
    ),
    "descriptors": ("descriptors", _FEATURES),
    "environments": ("candidates", ("prototypes", "comparison.descriptor")),
    "pools": ("design", ("seed", "comparison", "pools.sampler", "pools.mixture", "pools.overrides", *_DISTANCES)),
    "coverage": ("candidates", ("comparison",)),
    "basis": ("design", _FEATURES),
    "compress": ("design", _FEATURES),
    "select": (
        "design",
        ("seed", "budget", "labels.reserve", "designs", "kernel.structure", "kernel.rematch", *_DISTANCES),
    ),
    "quality": ("design", ("designs", *_ENGINE, *_DISTANCES)),
    "regrow": ("design", (*_SIZES, "designs", "quality.subpools", "kernel.structure", *_DISTANCES)),
    "curves": ("design", (*_SIZES, "quality", *_ENGINE, *_DISTANCES)),
    "page": ("report", tuple(Study.model_fields)),
    "engine": ("labels", (*_ENGINE, "prototypes")),
    "isolated": ("labels", (*_ENGINE, "prototypes")),
    "label": ("labels", (*_ENGINE, *_GATE)),
    "labels": ("labels", (*_ENGINE, *_GATE)),
    "failed": ("labels", _ENGINE),
    "hyperparameters": ("model", _MODEL),
    "fit": ("model", _MODEL),
    "predict": ("crossval", ()),
    "crossval": ("crossval", ("seed", *_DISTANCES)),
    "measure": ("properties", _PROPERTIES),
    "measure-reference": ("properties", (*_PROPERTIES, *_ENGINE, "properties.reference")),
    "properties": ("properties", ("properties.published",)),
    "properties-figures": ("report", ("designs",)),
    "replay-points": ("replay", ("seed", "replay.points", "replay.sample", *_BASIS)),
    "replay-rows": ("replay", _BASIS),
    "replay-labels": ("replay", _REPLAY_LABELS),
    "replay-start": ("replay", ("replay.core", *_SIGMAS, *_REPLAY_LABELS, *_BASIS)),
    "replay-choose": (
        "replay",
        ("seed", "designs", "replay.budgets", "replay.draws", "kernel.structure", "kernel.rematch", *_DISTANCES),
    ),
    "replay-fit": ("replay", ("designs", "replay.core", *_SIGMAS)),
    "replay-bounds": ("replay", ("replay.core", *_SIGMAS)),
    "replay-surfaces": ("replay", ("replay.surfaces", "prototypes")),
    "replay": ("replay", ("study", "designs", "replay")),
    "provenance": ("report", tuple(Study.model_fields)),
    "figures": ("report", ("designs", *_DISTANCES)),
    "report": ("report", tuple(Study.model_fields)),
    "plan": ("report", tuple(Study.model_fields)),
}


def part(study: Study, verb: str, *, design: str | None = None, pool: str | None = None) -> str:
    """What a verb reads of the configuration, as JSON: a job reruns when this changes, and only then.

    Parameters
    ----------
    study : Study
    verb : str
        Verb of the command line.
    design : str, optional
        The design that the job is about, if it is about one: of others it then reads nothing.
    pool : str, optional
        The pool that the job is about, if it is about one; its overrides are then in their places.
    """
    stage, keys = _READS[verb]
    if pool is not None:
        study = study.model_copy(update={"pools": study.pools.of(pool)})
    whole = study.model_dump(mode="json", exclude_none=True)
    pools = study.pools
    members = (*pools.members, "mixture") if pools.sampler == "mixture" else pools.members
    chosen = [{"sampler": member, "engine": study.labels.engine} for member in members]
    picked: dict[str, Any] = {"revision": REVISIONS[stage]}
    for key in dict.fromkeys(key.format(**names) for key in keys for names in chosen):
        path = key.split(".")
        source, target = whole, picked
        for name in path[:-1]:
            source, target = source[name], target.setdefault(name, {})
        if path[-1] in source:
            target[path[-1]] = source[path[-1]]
    if design is not None and "designs" in picked:
        picked["designs"] = {design: picked["designs"][design]}
    return json.dumps(picked, separators=(",", ":"))


def checksum(study: Study) -> str:
    """Tell configurations apart: SHA-256 of all values, defaults too, in hexadecimal digits."""
    return hashlib.sha256(study.model_dump_json().encode()).hexdigest()


def load(source: str) -> Study:
    """Read a configuration from a YAML file, or from JSON made by :func:`part`.

    Of a part only the keys it has may be used; the others have their defaults.

    Raises
    ------
    InputError
        If it cannot be read or is not valid.
    """
    if source.lstrip().startswith("{"):
        try:
            given = json.loads(source)
        except json.JSONDecodeError as error:
            raise InputError(f"--config: a text that begins with '{{' must be JSON ({error}).") from None
        given.pop("revision", None)
        return parse(given)
    try:
        given = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{source}: no such file; name a configuration with --config.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{source}: not valid YAML ({' '.join(str(error).split())}).") from error
    study = parse(given)
    check(study)
    return study


def parse(given: Any) -> Study:
    """Validate keys, types and bounds.

    Raises
    ------
    InputError
        For the first mistake: key, value, remedy.
    """
    if not isinstance(given, Mapping):
        raise InputError("The configuration is empty or not a mapping of keys to values; see config/README.md.")
    try:
        return Study.model_validate(dict(given))
    except ValidationError as error:
        raise InputError(sentence(error, Study)) from None


def check(study: Study) -> None:
    """Check what one key says against another, before any job runs.

    Raises
    ------
    InputError
        For the first mistake: key, value, remedy.
    """
    for key, example in (
        ("prototypes", "{hcp: {element: Zr, lattice: hcp, a: 3.232, c: 5.147}}"),
        ("designs", "{OPT1: {pool: A, method: maxmin}}"),
    ):
        if not getattr(study, key):
            raise InputError(f"{key}: this key is missing; for example `{key}: {example}`.")
    pools = study.pools
    if len(set(pools.names)) < len(pools.names):
        raise InputError(f"pools.names: {list(pools.names)} has a name twice; give each pool its own.")
    _check_pools(study)
    taken = {"isolated": "the labels of isolated atoms", "failed": "structures without a label"}
    taken |= {"engine": "the engine of the labels", "reference": "the reference engine among the properties"}
    for name, holder in (taken | {"isolated_atom": "the type of isolated atoms"}).items():
        if name in study.designs:
            raise InputError(f"designs.{name}: this name is taken by {holder}; choose another.")
    for name, design in study.designs.items():
        if design.pool not in pools.names:
            raise InputError(
                f"designs.{name}.pool: there is no pool '{design.pool}'; choose from {', '.join(pools.names)}."
            )
        if design.existing is not None and not Path(design.existing).is_file():
            raise InputError(
                f"designs.{name}.existing: no file '{design.existing}'; paths start where snakemake is run."
            )
        size = pools.of(design.pool).size
        if design.start is not None and design.start >= size:
            raise InputError(f"designs.{name}.start: {design.start} is not in a pool of {size}; choose a smaller one.")
        if study.budget > size:
            raise InputError(
                f"budget: {study.budget} structures cannot be chosen from pools of {size};"
                " lower budget or raise pools.size."
            )
        problem = methods.mismatch(design, study.budget, study.kernel.structure, study.descriptor.backend)
        if problem is not None:
            raise InputError(f"designs.{name}.{problem}")
    if problem := mismatch(study.properties, list(study.prototypes), study.symbols(), study.labels.engine):
        raise InputError(f"properties.{problem}")
    if study.kernel.soap.scale == 0 and study.kernel.pair.scale == 0:
        raise InputError("kernel: soap.scale and pair.scale are both 0, so nothing is left; make one positive.")
    if study.kernel.soap.scale == 0 and study.kernel.structure != "average":
        raise InputError(
            f"kernel.structure: '{study.kernel.structure}' compares environments by SOAP, which kernel.soap.scale: 0"
            " leaves out; make that positive, or choose 'average'."
        )
    for prototype in prototypes(study.prototypes):
        nearest = nearest_neighbour(prototype.atoms)
        for key, r_cut in (
            ("descriptor.soap", study.descriptor.soap.r_cut),
            ("kernel.pair", study.kernel.pair.r_cut),
        ):
            if r_cut <= nearest:
                raise InputError(
                    f"{key}.r_cut: {r_cut} does not reach the nearest neighbour of prototype '{prototype.name}' at"
                    f" {nearest:.3f} angstrom; make it larger, twice that or more."
                )


def _check_pools(study: Study) -> None:
    """Check each pool with its overrides, its files, and its samplers against the prototypes."""
    crystals = prototypes(study.prototypes)
    for name in study.pools.overrides:
        if name not in study.pools.names:
            raise InputError(
                f"pools.overrides.{name}: there is no pool '{name}'; choose from {', '.join(study.pools.names)}."
            )
    scaled_by = study.comparison.scaled_by
    if scaled_by is not None and scaled_by not in study.pools.names:
        raise InputError(
            f"comparison.scaled_by: there is no pool '{scaled_by}'; choose from {', '.join(study.pools.names)}."
        )
    for union, names in study.comparison.unions.items():
        if union in study.designs or not names or not set(names) <= set(study.designs):
            raise InputError(
                f"comparison.unions.{union}: a union has a name of its own, and those of designs in a list; the designs"
                f" are {', '.join(study.designs)}."
            )
    kind = study.comparison.descriptor.kind
    if kind != "snap" and len(study.species()) > 1:
        raise InputError(f"comparison.descriptor.kind: '{kind}' is for one element; with several, take 'snap'.")
    for name in study.pools.names:
        try:
            options = study.pools.of(name)
        except ValidationError as error:
            raise InputError(f"pools.overrides.{name}: {sentence(error, Study)}") from None
        if "file" in options.members and not Path(options.file.path).is_file():
            raise InputError(
                f"pools.file.path: no file '{options.file.path}' for pool {name}; paths start where snakemake is run."
            )
        samplers.make(options, crystals)
