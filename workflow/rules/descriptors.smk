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
        f"../../envs/{DESCRIPTOR_ENVIRONMENT}.yaml"
    threads: cores("descriptors")
    resources:
        **asks("descriptors"),
    params:
        config=part("descriptors"),
        # Derived from the output, it gives Snakemake no reason to describe again.
        environments=lambda wildcards, output: (
            f"--output-environments {output.environments}" if output.environments else ""
        ),
    message:
        "Describing candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign descriptors --config {params.config:q} --candidates {input.candidates} --output {output.features}"
        " --output-sum {output.sums} {params.environments} > {log} 2>&1"
