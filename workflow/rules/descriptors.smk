rule descriptors:
    input:
        of_all_shards("descriptors/{pool}/{start}-{stop}.npy"),


rule descriptors_shard:
    input:
        candidates=results("candidates/{pool}/{start}-{stop}.npz"),
    output:
        features=results("descriptors/{pool}/{start}-{stop}.npy"),
        sums=results("descriptors/{pool}/sums/{start}-{stop}.npy"),
        environments=if_environments(results("descriptors/{pool}/environments/{start}-{stop}.npz")),
    log:
        results("logs/descriptors/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/descriptors/{pool}/{start}-{stop}.tsv")
    group:
        "shard"
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("descriptors")
    resources:
        **asks("descriptors"),
    params:
        config=part("descriptors"),
        # Derived from the output, it gives Snakemake no reason to describe again.
        environments=lambda wildcards, output: options(output_environments=output.environments),
    message:
        "Describing candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign descriptors --config {params.config:q} --candidates {input.candidates:q} --output {output.features:q}"
        " --output-sum {output.sums:q} {params.environments} > {log:q} 2>&1"
