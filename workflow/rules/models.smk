rule models:
    input:
        [
            results(f"{folder}models/{design}/{file}")
            for folder, chosen in FOLDERS.items()
            for design in FITTED
            for file in chosen.member.files
        ],


# Kinds of models differ in the files that a fit writes, so that each has a rule of its own.
for folder, chosen in FOLDERS.items():

    rule:
        name:
            f"models_fit_{chosen.kind}" if folder else "models_fit"
        input:
            starts_of,
            labels=results("labels/{design}.extxyz"),
            isolated=results("labels/isolated.extxyz"),
            hyperparameters=results("{folder}models/{design}/hyperparameters.json"),
        output:
            [results(f"{{folder}}models/{{design}}/{file}") for file in chosen.member.files],
        log:
            results("logs/{folder}models/{design}/fit.log"),
        benchmark:
            results("benchmarks/{folder}models/{design}/fit.tsv")
        wildcard_constraints:
            folder=f"(?:{re.escape(folder)})",
        conda:
            environment(chosen.member.environment)
        threads: cores("fit", chosen.kind)
        resources:
            **asks("fit"),
        params:
            config=part("fit", starts_of),
        message:
            f"Fitting a model of the kind {chosen.kind} to {{wildcards.design}}"
        shell:
            "gapdesign fit --config {params.config:q} --labels {input.labels:q} --isolated {input.isolated:q}"
            " --hyperparameters {input.hyperparameters:q} --memory {resources.mem_mb} --output {output:q} > {log:q} 2>&1"
