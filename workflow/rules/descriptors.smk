rule descriptors:
    input:
        of_all_shards("descriptors/{pool}/{start}-{stop}.npy"),


if STUDY.descriptor.components != "raw":

    rule descriptors_scaling:
        input:
            candidates=of_beginnings("candidates/{pool}/{start}-{stop}.npz"),
        output:
            results("descriptors/scaling.npz"),
        log:
            results("logs/descriptors/scaling.log"),
        benchmark:
            results("benchmarks/descriptors/scaling.tsv")
        conda:
            environment(DESCRIPTOR_ENVIRONMENT)
        threads: cores("scaling")
        resources:
            **asks("scaling"),
        params:
            config=part("scaling", descriptor_files),
        message:
            "Finding the scale of the components of environments"
        shell:
            "gapdesign scaling --config {params.config:q} --candidates {input.candidates:q} --output {output:q} > {log:q} 2>&1"


rule descriptors_shard:
    input:
        candidates=results("candidates/{pool}/{start}-{stop}.npz"),
        scaling=scaling_of,
    output:
        features=results("descriptors/{pool}/{start}-{stop}.npy"),
        sums=results("descriptors/{pool}/sums/{start}-{stop}.npy"),
        environments=if_environments(results("descriptors/{pool}/environments/{start}-{stop}.npz")),
    log:
        results("logs/descriptors/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/descriptors/{pool}/{start}-{stop}.tsv")
    group:
        # With a scale that all shards set, no shard can be described in the job that makes it.
        in_group("shard" if STUDY.descriptor.components == "raw" else "description")
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("descriptors")
    resources:
        **asks("descriptors"),
    params:
        config=part("descriptors", descriptor_files),
        # Derived from the output, it gives Snakemake no reason to describe again.
        others=lambda wildcards, input, output: options(scaling=input.scaling, output_environments=output.environments),
    message:
        "Describing candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign descriptors --config {params.config:q} --candidates {input.candidates:q} --output {output.features:q}"
        " --output-sum {output.sums:q} {params.others} > {log:q} 2>&1"
