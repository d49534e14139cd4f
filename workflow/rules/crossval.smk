rule crossval:
    input:
        [results(f"{folder}crossval/errors.csv") for folder in FOLDERS],


rule crossval_predict:
    input:
        potential=potential_of,
        labels=bundled("labels/{design}.extxyz", TESTED),
    output:
        predictions=results("{folder}crossval/models/{design}.csv"),
        forces=results("{folder}crossval/models/{design}.npz"),
    log:
        results("logs/{folder}crossval/{design}.log"),
    benchmark:
        results("benchmarks/{folder}crossval/{design}.tsv")
    conda:
        model_environment
    threads: cores("predict")
    resources:
        **asks("predict"),
    params:
        kind=kind_of,
    message:
        "Testing the model of {wildcards.design} on all designs"
    shell:
        "gapdesign predict --kind {params.kind} --model {wildcards.design:q} --potential {input.potential:q} --labels {input.labels:q}"
        " --output {output.predictions:q} --output-forces {output.forces:q} > {log:q} 2>&1"


rule crossval_errors:
    input:
        predictions=of_models("{folder}crossval/models/{design}.csv"),
        forces=of_models("{folder}crossval/models/{design}.npz"),
        features=of_compared("designs/{design}.npy"),
        reserves=of_compared("designs/reserve/{design}.npy"),
    output:
        predictions=results("{folder}crossval/predictions.csv"),
        errors=report(results("{folder}crossval/errors.csv"), caption="../report/errors_table.rst", category="Models"),
        groups=results("{folder}crossval/errors_by_group.csv"),
        forces=results("{folder}crossval/forces.csv"),
        duplicates=results("{folder}crossval/duplicates.csv"),
        bootstrap=results("{folder}crossval/bootstrap.csv"),
    log:
        results("logs/{folder}crossval/crossval.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    params:
        config=part("crossval"),
    message:
        "Comparing all models on all designs"
    shell:
        "gapdesign crossval --config {params.config:q} --predictions {input.predictions:q} --forces {input.forces:q}"
        " --features {input.features:q} --reserves {input.reserves:q}"
        " --output-predictions {output.predictions:q} --output-errors {output.errors:q} --output-groups {output.groups:q} --output-forces {output.forces:q}"
        " --output-duplicates {output.duplicates:q} --output-bootstrap {output.bootstrap:q} > {log:q} 2>&1"
