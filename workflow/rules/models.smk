rule models:
    input:
        of_designs("models/{design}/gp.xml"),


rule models_fit:
    input:
        labels=results("labels/{design}.extxyz"),
        isolated=results("labels/isolated.extxyz"),
        hyperparameters=results("models/{design}/hyperparameters.json"),
    output:
        results("models/{design}/gp.xml"),
    log:
        results("logs/models/{design}/fit.log"),
    benchmark:
        results("benchmarks/models/{design}/fit.tsv")
    conda:
        environment("gap")
    threads: cores("fit")
    resources:
        **asks("fit"),
    params:
        config=part("fit"),
    message:
        "Fitting a potential to {wildcards.design}"
    shell:
        "gapdesign fit --config {params.config:q} --labels {input.labels:q} --isolated {input.isolated:q}"
        " --hyperparameters {input.hyperparameters:q} --memory {resources.mem_mb} --output {output:q} > {log:q} 2>&1"
