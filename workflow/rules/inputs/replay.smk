# Inputs of the rules of the replay.
from gapdesign.methods.costs import ENGINE as BY_THE_ENGINE
from gapdesign.models import MODELS
from gapdesign.replay.requirements import check as check_replay


def replay_ready(wildcards):
    """Check, when a replay is to run, that designs can be judged on existing labels; return no file."""
    if PLANNING in os.environ:
        return []
    try:
        check_replay(STUDY)
    except InputError as error:
        sys.exit(f"gapdesign: {error}")
    return []


def _replayed():
    """Return the kind of model that a replay fits; any where there is none, which `replay_ready` refuses."""
    try:
        return STUDY.replayed.member
    except InputError:
        return next(member for member in MODELS.values() if member.replayed)


REPLAYED = _replayed()
START, TEMPLATE = REPLAYED.replayed


def label_files(wildcards):
    """Return the files that hold the labels of whole pools."""
    return [*replay_ready(wildcards), *engine_inputs()]


def core_of_replay():
    """Return the files of the pool that all training sets of the replay have in common, if there is one."""
    core = STUDY.replay.core
    labels = [results(f"replay/labels/{core}.npz")] if core else []
    return {"labels": labels, "rows": of_shards("replay/rows/{pool}/{start}-{stop}.npy", core) if core else []}


KNOWS_COSTS = STUDY.costs.source != BY_THE_ENGINE or STUDY.replay.is_priced


def costs_if_known(wildcards):
    """Return the costs of the labels of the pool of a design, if anything says what labels in files cost."""
    return of_pool("designs/costs/{pool}/{start}-{stop}.npy")(wildcards) if KNOWS_COSTS else []


def costs_of_candidates():
    """Return the costs of the labels of all pools but the core and the test set, if they are known."""
    pools = [pool for pool in STUDY.pools.names if pool not in (STUDY.replay.core, STUDY.replay.tested)]
    shards = [of_shards("designs/costs/{pool}/{start}-{stop}.npy", pool) for pool in pools] if KNOWS_COSTS else []
    return [path for paths in shards for path in paths]


def of_fits(pattern):
    """Return the files of the potentials of every design of the replay, and of their two bounds."""
    return expand(results(pattern), fits=["bounds", *(f"fits/{design}" for design in FITTED)])


def if_replay(files):
    """Return results of the replay, where the report shows them."""
    return results_where(STUDY.replay.report, files)


_DRAWN = ["replay/errors", *(["replay/surface_energies"] if STUDY.replay.surfaces.prototype else [])]
REPLAY_TABLES = [f"{name}.csv" for name in _DRAWN]
REPLAY_FIGURES = [f"{name}{suffix}" for name in _DRAWN for suffix in (".svg", ".pdf")]
