rule candidates:
    input:
        [f for pool in STUDY.pools.names for f in of_shards("candidates/{pool}/{start}-{stop}.npz", pool=pool)],


rule candidates_shard:
    input:
        prototypes=[given(prototype.file) for prototype in STUDY.prototypes.values() if prototype.file],
    output:
        results("candidates/{pool}/{start}-{stop}.npz"),
    log:
        results("logs/candidates/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/candidates/{pool}/{start}-{stop}.tsv")
    group:
        "shard"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        config=part("candidates"),
    message:
        "Making candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign candidates --config {params.config:q} --pool {wildcards.pool} --start {wildcards.start}"
        " --stop {wildcards.stop} --output {output} > {log} 2>&1"
