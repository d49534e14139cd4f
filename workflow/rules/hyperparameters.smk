rule hyperparameters:
    input:
        labels=results("labels/{design}.extxyz"),
        isolated=results("labels/isolated.extxyz"),
    output:
        results("models/{design}/hyperparameters.json"),
    log:
        results("logs/models/{design}/hyperparameters.log"),
    benchmark:
        results("benchmarks/models/{design}/hyperparameters.tsv")
    conda:
        environment("gap")
    threads: cores("hyperparameters")
    resources:
        **asks("hyperparameters"),
    params:
        config=part("hyperparameters"),
    message:
        "Maximising the likelihood of {wildcards.design}"
    shell:
        "gapdesign hyperparameters --config {params.config:q} --labels {input.labels:q} --isolated {input.isolated:q}"
        " --output {output:q} > {log:q} 2>&1"
