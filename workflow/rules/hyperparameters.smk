rule hyperparameters:
    input:
        labels=results("labels/{design}.extxyz"),
        isolated=results("labels/isolated.extxyz"),
    output:
        results("{folder}models/{design}/hyperparameters.json"),
    log:
        results("logs/{folder}models/{design}/hyperparameters.log"),
    benchmark:
        results("benchmarks/{folder}models/{design}/hyperparameters.tsv")
    conda:
        model_environment
    threads: cores("hyperparameters")
    resources:
        **asks("hyperparameters"),
    params:
        config=part("hyperparameters"),
    message:
        "Finding the hyperparameters of {wildcards.design}"
    shell:
        "gapdesign hyperparameters --config {params.config:q} --labels {input.labels:q} --isolated {input.isolated:q}"
        " --output {output:q} > {log:q} 2>&1"
