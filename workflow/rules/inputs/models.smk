# Inputs of the rules that are about one kind of model.

# Results of the first kind of model lie beside those of the stages before; every other kind has a folder there.
FOLDERS = {"" if n == 0 else f"{kind}/": chosen for n, (kind, chosen) in enumerate(STUDY.kinds.items())}


wildcard_constraints:
    folder=f"(?:{'|'.join(map(re.escape, FOLDERS))})",  # an empty one is no constraint


def kind_of(wildcards):
    """Return the kind of model that a job is about."""
    return FOLDERS[wildcards.get("folder", "")].kind


def potential_of(wildcards):
    """Return the file of a model, or its pattern, by which it is evaluated."""
    return results(f"{{folder}}models/{{design}}/{FOLDERS[wildcards.folder].member.files[0]}")


def models_of(wildcards):
    """Return the files of all models of one kind."""
    files = FOLDERS[wildcards.folder].member.files
    return [path for file in files for path in of_models(f"{wildcards.folder}models/{{design}}/{file}")]


def starts_of(wildcards):
    """Return the user's files that a fit begins with, such as a model to be trained further."""
    chosen = FOLDERS[wildcards.folder]
    return [given(path) for path in chosen.member.inputs(chosen.options)]


def errors_of_others(folder):
    """Return the tables of errors of all other kinds of models, with which a page compares its own."""
    return [results(f"{other}crossval/errors.csv") for other in FOLDERS if other != folder]


def trainings_of(folder):
    """Return the files of the training of all models of a kind, if it is trained in steps."""
    file = FOLDERS[folder].member.training
    return of_models(f"{folder}models/{{design}}/{file}") if file else []


def model_environment(wildcards):
    """Return the environment in which a kind of model is fitted and evaluated."""
    return environment(FOLDERS[wildcards.folder].member.environment)


def refuse_missing_programs():
    """End a run before its first job where models are to be fitted here and a program is missing; a dry run goes on."""
    jobs = [] if HAS_ENVIRONMENTS else jobs_to_run()
    members = [STUDY.kinds[kind_of(job.wildcards)].member for job in jobs if job.rule.name.startswith("models_fit")]
    members += [REPLAYED for job in jobs if job.rule.name == "replay_points"]
    for member in dict.fromkeys(members):
        try:
            member.require()
        except InputError as error:
            sys.exit(f"gapdesign: {error}")
