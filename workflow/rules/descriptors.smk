rule descriptors:
    input:
        [f for pool in STUDY.pools.names for f in of_shards("descriptors/{pool}/{start}-{stop}.npy", pool=pool)],


rule descriptors_shard:
    message:
        "Describing candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    input:
        candidates=results("candidates/{pool}/{start}-{stop}.npz"),
    output:
        results("descriptors/{pool}/{start}-{stop}.npy"),
    params:
        config=part("descriptors"),
    log:
        results("logs/descriptors/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/descriptors/{pool}/{start}-{stop}.tsv")
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    conda:
        f"../../envs/{DESCRIPTOR_ENVIRONMENT}.yaml"
    shell:
        "gapdesign descriptors --config {params.config:q} --candidates {input.candidates} --output {output}"
        " > {log} 2>&1"
