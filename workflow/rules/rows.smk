# What labels teach: functions of a linear model, and the rows of all labels of each candidate in shards.
rule rows_functions:
    input:
        candidates=of_all_shards("candidates/{pool}/{start}-{stop}.npz"),
    output:
        results("rows/functions.npz"),
    log:
        results("logs/rows/functions.log"),
    benchmark:
        results("benchmarks/rows/functions.tsv")
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("row-functions")
    resources:
        **asks("row-functions"),
    params:
        config=part("row-functions", descriptor_files),
    message:
        "Choosing the functions in which labels have rows"
    shell:
        "gapdesign row-functions --config {params.config:q} --candidates {input.candidates:q} --output {output:q} > {log:q} 2>&1"


rule rows_shard:
    input:
        candidates=results("candidates/{pool}/{start}-{stop}.npz"),
        functions=results("rows/functions.npz"),
    output:
        results("rows/{pool}/{start}-{stop}.npz"),
    log:
        results("logs/rows/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/rows/{pool}/{start}-{stop}.tsv")
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("rows")
    resources:
        **asks("rows"),
    params:
        config=part("rows", descriptor_files),
    message:
        "Computing the rows of labels of candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign rows --config {params.config:q} --candidates {input.candidates:q} --functions {input.functions:q}"
        " --output {output:q} > {log:q} 2>&1"
