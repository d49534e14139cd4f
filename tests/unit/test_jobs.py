"""Declarations of jobs: parts without defaults, the same from JSON as from a whole file, overrides resolved."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import write

from conftest import SMALL
from gapdesign import cli
from gapdesign.cli.study import notes
from gapdesign.config import study
from gapdesign.config.job import STAGES, Job
from gapdesign.config.part import At, Part
from gapdesign.config.study import Study
from gapdesign.errors import InputError
from other_configuration import leaves, other_configuration

JOBS = cli.jobs()
EIGHT = {
    element: {"element": element, "lattice": "fcc", "a": 4.0}
    for element in ("Zr", "Cu", "Ni", "Al", "Fe", "Cr", "Mo", "W")
}
"""Prototypes of eight elements, for long vectors."""
READING = {verb: job for verb, job in JOBS.items() if job.reads is not None}


def parts(reads: type[Part]) -> set[type[Part]]:
    """A part and those inside it."""
    kinds = [field.annotation for field in reads.model_fields.values()]
    inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)]
    return {reads}.union(*map(parts, inner))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Study:
    """A study in a file that differs from the default in every key."""
    return study.parse(other_configuration())


@pytest.mark.parametrize("verb", READING)
def test_no_field_of_a_part_has_a_default_and_no_other_is_accepted(verb):
    for part in parts(READING[verb].reads):
        assert part.model_config["extra"] == "forbid" and part.model_config["frozen"]
        assert [name for name, field in part.model_fields.items() if not field.is_required()] == []
    with pytest.raises(AttributeError):
        _ = READING[verb].reads.model_construct().nothing_of_the_kind


def test_the_configuration_differs_from_the_default_in_every_key(whole):
    mine, default = leaves(whole.model_dump(mode="json")), leaves(Study().model_dump(mode="json"))
    assert len(default) > 200
    # Prototypes say the elements, and other kinds of models run in environments of their own.
    same = [path for path in default if path in mine and mine[path] == default[path]]
    assert same == ["elements", "model.kind", "models"]


@pytest.mark.parametrize("verb", READING)
def test_a_part_is_the_same_from_its_own_text_as_from_the_whole_file(verb, whole, tmp_path):
    job, path = READING[verb], tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(other_configuration(), sort_keys=False))
    for design, pool in product(whole.designs, whole.pools.names):
        text = job.part(At(whole, design, pool))
        assert json.loads(text)["revision"] == STAGES[job.stage]
        one, other = job.load(text), job.load(str(path), design=design, pool=pool)
        assert one == other
        assert one.text() == other.text()


@pytest.mark.parametrize("verb", READING)
def test_a_text_that_lacks_any_value_or_has_another_is_refused(verb, whole):
    job = READING[verb]
    given = json.loads(job.part(At(whole, "M", "Q")))
    for path in leaves(given):
        if path == "revision":
            continue
        cut = json.loads(json.dumps(given))
        block, *steps = cut, *path.split(".")
        for step in steps[:-1]:
            if not isinstance(block.get(step), dict):
                break
            block = block[step]
        else:
            if steps[-1] in block and not open_ended(path):
                del block[steps[-1]]
                with pytest.raises(InputError, match=r"--config: .*\.$"):
                    job.load(json.dumps(cut))
    with pytest.raises(InputError, match=r"--config: nothing_of_the_kind"):
        job.load(json.dumps(given | {"nothing_of_the_kind": 1}))
    with pytest.raises(InputError, match=r"^--config: .* JSON"):
        job.load("{")


def open_ended(path: str) -> bool:
    """Return whether this is a mapping of the user's own names, any of which may be missing."""
    names = ("prototypes", "values", "incar", "arguments", "isolated", "methods", "samplers", "published", "input")
    names += ("potcar", "mixture", "kinds", "composition", "unions", "reference", "overrides", "convergence", "setups")
    names += ("designs", "pseudopotentials", "isolated_incar", "isolated_input", "isolated_arguments", "magmom")
    names += ("keep", "drop", "scores")
    return any(name in path.split(".") for name in names) or "biased.descriptor.arguments." in path


def small(**changes) -> Study:
    return study.parse(SMALL | changes)


def test_the_size_of_a_pool_is_that_of_its_override():
    """Designs are chosen again from halves of their own pool, however large other pools are."""
    pools = SMALL["pools"] | {"size": 5000, "overrides": {"A": {"size": 1000}, "B": {"size": 100_000}}}
    sizes = {
        design: JOBS["regrow"].load(JOBS["regrow"].part(At(small(pools=pools), design))).subpools
        for design in ("OPT", "RND")
    }
    assert sizes["OPT"] == (62, 125, 250, 500)
    assert sizes["RND"] == (6250, 12_500, 25_000, 50_000)


def test_the_measures_of_a_design_know_its_budget():
    job = JOBS["quality"]
    assert job.load(job.part(At(small(budget=7), "OPT"))).budget == 7


def test_jobs_about_one_design_see_no_other():
    changed = SMALL["designs"] | {"RND": {"pool": "A", "method": "random"}}
    for verb in ("select", "quality", "regrow", "replay-choose", "replay-fit"):
        assert JOBS[verb].part(At(small(), "OPT")) == JOBS[verb].part(At(small(designs=changed), "OPT"))
        assert JOBS[verb].part(At(small(), "RND")) != JOBS[verb].part(At(small(designs=changed), "RND"))


def test_samplers_that_a_pool_does_not_use_change_nothing_of_it():
    pools = SMALL["pools"] | {"rattle": {"atoms": 9}, "overrides": {"B": {"sampler": "rattle"}}}
    job = JOBS["candidates"]
    assert job.part(At(small(), pool_name="A")) == job.part(At(small(pools=pools), pool_name="A"))
    assert job.part(At(small(), pool_name="B")) != job.part(At(small(pools=pools), pool_name="B"))


def test_the_order_of_prototypes_matters_because_candidates_depend_on_it():
    reverse = dict(reversed(SMALL["prototypes"].items()))
    job = JOBS["candidates"]
    assert job.part(At(small(prototypes=reverse), pool_name="A")) != job.part(At(small(), pool_name="A"))


def test_a_stage_whose_results_change_reruns(monkeypatch):
    at = At(small(), "OPT", "A")
    before = {verb: job.part(at) for verb, job in READING.items() if not verb.startswith("replay")}
    monkeypatch.setitem(STAGES, "design", STAGES["design"] + 1)
    rerun = {verb for verb in before if READING[verb].part(at) != before[verb]}
    chosen = {"costs", "basis", "compress", "grow", "select", "polish"}
    assert rerun == chosen | {"quality", "regrow", "raise", "curves", "page"}


def test_a_design_or_a_pool_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"^--design X: there is no such design; choose from OPT, RND\.$"):
        JOBS["select"].part(At(small(), "X"))
    with pytest.raises(InputError, match=r"^--pool X: there is no such pool; choose from A, B\.$"):
        JOBS["candidates"].part(At(small(), pool_name="X"))


def test_a_job_of_no_stage_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="there is no stage 'lunch'"):
        Job(verb="eat", rule="eat", stage="lunch")


def test_descriptor_jobs_ask_for_memory_and_time_by_vector_and_shard():
    at = At(small(), pool_name="A")
    job = JOBS["descriptors"]
    assert (job.megabytes(at), job.time_limit(at)) == (2000, 60)
    pools = SMALL["pools"] | {"size": 10_000, "shard_size": 5000}
    alloy = small(prototypes=EIGHT, pools=pools, descriptor={"soap": {"r_cut": 5.0}})
    at = At(alloy, pool_name="A")
    features = 4 * alloy.covariance().layout.dimension * 5000 / 2**20
    assert features > 5000
    assert features * 1.2 < job.megabytes(at) - 1500 < features * 1.5
    assert job.time_limit(at) > 60
    halved = At(
        small(prototypes=EIGHT, pools=pools | {"shard_size": 2500}, descriptor={"soap": {"r_cut": 5.0}}), None, "A"
    )
    assert job.megabytes(halved) < 0.6 * job.megabytes(at)


def test_a_vector_that_is_too_long_for_comfort_is_answered_with_what_to_do():
    alloy = small(prototypes=EIGHT, pools=SMALL["pools"] | {"size": 10_000, "shard_size": 5000}, descriptor={})
    (note,) = notes(alloy)
    assert note.startswith("note: descriptor: a vector of dscribe has 28")
    assert (
        "for 8 elements, so that a shard takes 5.3 GiB and all pools 23 GB; choose"
        " descriptor.soap.compression: one_element, a lower descriptor.soap.n_max" in note
    )
    assert notes(small()) == []


def test_designs_of_frames_are_warned_of_where_their_method_was_worse_than_random_draws(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "frames.extxyz"
    write(path, [Atoms("Zr", cell=3 + rng.random((3, 3)) + np.eye(3), pbc=True) for _ in range(12)], format="extxyz")
    pools = {"names": ["A"], "size": 12, "sampler": "file", "file": {"path": str(path)}}
    names = ("maxmin", "k_medoids", "random")
    designs = {name.upper(): {"pool": "A", "method": name} for name in names}
    with_pairs, medoids = notes(small(pools=pools, designs=designs, budget=4))
    assert with_pairs.startswith("note: designs.MAXMIN.method: maxmin: on ten labelled sets its designs by averages of")
    assert "and pairs had larger errors than random ones in 18 of 98 cases" in with_pairs and "in 9 of 98" in medoids
    (alone,) = notes(small(pools=pools, designs=designs, budget=4, kernel={"pair": {"scale": 0}}))
    assert "maxmin" in alone and "in 16 of 98" in alone


def test_designs_that_were_worse_than_random_ones_are_warned_of():
    soap = {"backend": "quippy", "soap": {"r_cut": 5.0, "n_max": 4, "l_max": 3}}
    for budget, said in (
        (6, "structures with the most forces come first"),
        ({"core_hours": 1.0}, "within core-hours, on three labelled sets"),
    ):
        designs = {"I": {"pool": "A", "method": "information"}, "M": {"pool": "A", "method": "maxmin"}}
        (note,) = notes(small(descriptor=soap, designs=designs, budget=budget))
        assert note.startswith("note: designs.I.method: information: ") and said in note
    huge = small(prototypes=EIGHT, pools=SMALL["pools"] | {"size": 10**6, "shard_size": 10**5}, descriptor={})
    with pytest.raises(InputError, match=r"^descriptor: a vector of dscribe has .* or a smaller pools\.shard_size\.$"):
        study.check(huge)
