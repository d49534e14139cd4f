# All that the rules use of Snakemake beyond its public interface, each in a function of its own that says why.
# pyproject.toml bounds the versions of Snakemake, and tests/dag/test_snakemake.py sees that all this is there.


def is_main():
    """Whether this is the workflow that was started, and no module of another; nothing public says so."""
    return workflow.modifier.is_main_snakefile()


def module_name():
    """The name that this has as a module, or None; nothing public says it."""
    return workflow.modifier.namespace


def prefixed(path):
    """A path with the prefix of the module; public is only that of declared files, and these are folders."""
    return workflow.modifier.modify_path(path)


def rules_folder():
    """The folder of the file being read; `workflow.basedir` is that of the workflow that was started, maybe another."""
    return Path(str(workflow.current_basedir))


def is_head():
    """Whether this process steers a run, and is none of its jobs; nothing public says so."""
    return workflow.is_main_process


def has_configfile():
    """Whether the command line has a configuration, which a `configfile:` here would be merged with."""
    return bool(workflow.config_settings.configfiles)


def configuration_files():
    """The files of the configuration, which `config` has forgotten."""
    return list(workflow.configfiles)


def jobs_at_once():
    """The most jobs that wait or run on a cluster, `--jobs`; None where all run here."""
    return workflow.resource_settings.nodes


def cores_here():
    """`--cores`, or None; the public `workflow.cores` is an error where it was not given."""
    return workflow.resource_settings.cores


def free_threads():
    """Let jobs have more threads than `--cores`, which is about this machine; no option says so for a cluster."""
    workflow.global_resources["_cores"] = None


def shell_prefix():
    """What `shell.prefix` was told last, or None; a second call forgets what the first one was told."""
    return shell._process_prefix


def part_of_group(name, part):
    """The name of a part of a group of jobs, to which `--group-components` applies by itself; only wildcards part publicly."""
    if not part:
        return name
    workflow.parent_groupids[f"{name}_{part}"] = name
    return f"{name}_{part}"


def failed_jobs():
    """Jobs that failed for good; events of the log do not tell them from those that are tried again."""
    return sorted(workflow.scheduler.failed, key=str) if workflow.scheduler else []


def jobs_to_run():
    """The jobs that a run is about to start; a rule knows its own alone."""
    return list(workflow.dag.needrun_jobs())


def lock_files():
    """Files in which this run has locked what it reads and makes; none with `--nolock` or a database."""
    return list(getattr(workflow.persistence, "_lockfile", {}).values())


def remember(differs):
    """Let results tell what they were made from where Snakemake has forgotten it: nothing public adds to its memory.

    `differs(path, config)` says whether a file was made from something else than the param `config` of its job. Such
    a job has changed params, with all that follows from it: `--rerun-triggers`, dry runs and reasons stay as they are.
    """
    from snakemake.persistence import ParamsChange, PersistenceBase

    if hasattr(PersistenceBase, "of_records"):
        return
    knows, changed = PersistenceBase.has_metadata, PersistenceBase.params_changed

    def of_records(job):
        config = job.params.get("config")
        return {str(file) for file in job.output if differs(file, config)} if isinstance(config, str) else set()

    def has_metadata(self, job):
        return knows(self, job) or bool(of_records(job))

    def params_changed(self, job, file=None):
        if knows(self, job) or not (files := of_records(job)):
            return changed(self, job, file)
        return ParamsChange(only_old={"see its record"}, only_new={job.params.config}, files=files)

    PersistenceBase.of_records = staticmethod(of_records)
    PersistenceBase.has_metadata, PersistenceBase.params_changed = has_metadata, params_changed
