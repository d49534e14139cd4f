# What the rules of the replay take.
from gapdesign.replay.check import check as check_replay


def replay_ready(wildcards):
    """No file: whether the designs can be judged on labels that are there; asked only when they are to be."""
    try:
        check_replay(STUDY)
    except InputError as error:
        sys.exit(f"gapdesign: {error}")
    return []


def label_files(wildcards):
    """Files that hold the labels of whole pools."""
    return [*replay_ready(wildcards), *engine_inputs()]


def core_of_replay():
    """Files of the pool that all training sets of the replay have in common, if there is one."""
    core = STUDY.replay.core
    labels = [results(f"replay/labels/{core}.npz")] if core else []
    return {"labels": labels, "rows": of_shards("replay/rows/{pool}/{start}-{stop}.npy", core) if core else []}


def of_fits(pattern):
    """Files of the potentials of every design of the replay, and of those that they lie between."""
    return expand(results(pattern), fits=["bounds", *(f"fits/{design}" for design in DESIGNS)])


def surfaces_of_replay():
    """Surface energies of the replay, where any are asked for."""
    asked = STUDY.replay.surfaces.prototype
    return {"surfaces": of_fits("replay/surfaces/{fits}.csv")} if asked else {}


def surface_results():
    """What the surface energies of the replay become, where any are asked for."""
    files = {"surfaces": "replay/surface_energies.csv"}
    asked = STUDY.replay.surfaces.prototype
    return {name: results(file) for name, file in files.items()} if asked else {}


def if_replay(files):
    """Results of the replay, where the report shows them."""
    files = [files] if isinstance(files, str) else files
    return [results(file) for file in files] if STUDY.replay.report else []


def replay_figures():
    """Figures of the replay, for the page and for a manuscript."""
    names = ["errors", *(["surface_energies"] if STUDY.replay.surfaces.prototype else [])]
    return [f"replay/{name}{suffix}" for name in names for suffix in (".svg", ".pdf")]


def replay_tables():
    """What they are drawn from."""
    return ["replay/errors.csv", *(["replay/surface_energies.csv"] if STUDY.replay.surfaces.prototype else [])]
