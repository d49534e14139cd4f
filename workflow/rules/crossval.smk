rule crossval_predict:
    input:
        potential=results("models/{design}/gp.xml"),
        labels=of_designs("labels/{design}.extxyz"),
    output:
        results("crossval/models/{design}.csv"),
    log:
        results("logs/crossval/{design}.log"),
    benchmark:
        results("benchmarks/crossval/{design}.tsv")
    conda:
        "../../envs/gap.yaml"
    threads: cores("predict")
    resources:
        **asks("predict"),
    message:
        "Testing the model of {wildcards.design} on all designs"
    shell:
        "gapdesign predict --model {wildcards.design} --potential {input.potential} --labels {input.labels}"
        " --output {output} > {log} 2>&1"


rule crossval:
    input:
        predictions=of_designs("crossval/models/{design}.csv"),
        features=of_designs("designs/{design}.npy"),
        reserves=of_designs("designs/reserve/{design}.npy"),
    output:
        predictions=results("crossval/predictions.csv"),
        errors=report(results("crossval/errors.csv"), caption="../report/errors_table.rst", category="Models"),
        duplicates=results("crossval/duplicates.csv"),
        bootstrap=results("crossval/bootstrap.csv"),
    log:
        results("logs/crossval/crossval.log"),
    localrule: True
    conda:
        "../../envs/core.yaml"
    threads: 1
    params:
        config=part("crossval"),
    message:
        "Comparing all models on all designs"
    shell:
        "gapdesign crossval --config {params.config:q} --predictions {input.predictions} --features {input.features}"
        " --reserves {input.reserves} --output-predictions {output.predictions} --output-errors {output.errors}"
        " --output-duplicates {output.duplicates} --output-bootstrap {output.bootstrap} > {log} 2>&1"
