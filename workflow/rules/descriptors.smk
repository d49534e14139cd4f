rule descriptors:
    input:
        [f for pool in STUDY.pools.names for f in of_shards("descriptors/{pool}/{start}-{stop}.npy", pool=pool)],


rule descriptors_shard:
    input:
        candidates=results("candidates/{pool}/{start}-{stop}.npz"),
    output:
        results("descriptors/{pool}/{start}-{stop}.npy"),
    log:
        results("logs/descriptors/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/descriptors/{pool}/{start}-{stop}.tsv")
    conda:
        f"../../envs/{DESCRIPTOR_ENVIRONMENT}.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        config=part("descriptors"),
    message:
        "Describing candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign descriptors --config {params.config:q} --candidates {input.candidates} --output {output}"
        " > {log} 2>&1"
