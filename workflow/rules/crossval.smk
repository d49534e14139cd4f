rule crossval_predict:
    input:
        potential=results("models/{design}/gp.xml"),
        labels=bundled("labels/{design}.extxyz", "designs"),
    output:
        predictions=results("crossval/models/{design}.csv"),
        forces=results("crossval/models/{design}.npz"),
    log:
        results("logs/crossval/{design}.log"),
    benchmark:
        results("benchmarks/crossval/{design}.tsv")
    conda:
        environment("gap")
    threads: cores("predict")
    resources:
        **asks("predict"),
    message:
        "Testing the model of {wildcards.design} on all designs"
    shell:
        "gapdesign predict --model {wildcards.design:q} --potential {input.potential:q} --labels {input.labels:q}"
        " --output {output.predictions:q} --output-forces {output.forces:q} > {log:q} 2>&1"


rule crossval:
    input:
        predictions=of_designs("crossval/models/{design}.csv"),
        forces=of_designs("crossval/models/{design}.npz"),
        features=of_designs("designs/{design}.npy"),
        reserves=of_designs("designs/reserve/{design}.npy"),
    output:
        predictions=results("crossval/predictions.csv"),
        errors=report(results("crossval/errors.csv"), caption="../report/errors_table.rst", category="Models"),
        groups=results("crossval/errors_by_group.csv"),
        forces=results("crossval/forces.csv"),
        duplicates=results("crossval/duplicates.csv"),
        bootstrap=results("crossval/bootstrap.csv"),
    log:
        results("logs/crossval/crossval.log"),
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
