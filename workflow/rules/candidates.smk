rule candidates:
    input:
        of_all_shards("candidates/{pool}/{start}-{stop}.npz"),
        results("candidates.csv"),


rule candidates_convert:
    input:
        structures_given,
    output:
        results("candidates/frames/{pool}.extxyz"),
    log:
        results("logs/candidates/convert/{pool}.log"),
    benchmark:
        results("benchmarks/candidates/convert/{pool}.tsv")
    conda:
        environment("core")
    threads: cores("convert")
    resources:
        **asks("convert"),
    params:
        config=part("convert", structures_given),
        structures=lambda wildcards, input: each_as("--structures", input),
    message:
        "Converting the structures of pool {wildcards.pool} to extended XYZ"
    shell:
        "gapdesign convert {params.structures} --made-from {params.config:q} --output {output:q} > {log:q} 2>&1"


rule candidates_frames:
    input:
        structures=structures_named,
        converted=converted_of,
    output:
        results("candidates/frames/{pool}.npy"),
    log:
        results("logs/candidates/frames/{pool}.log"),
    benchmark:
        results("benchmarks/candidates/frames/{pool}.tsv")
    conda:
        environment("core")
    threads: cores("frames")
    resources:
        **asks("frames"),
    params:
        config=part("frames", structures_named),
        structures=lambda wildcards, input: each_as("--structures", input.structures),
        converted=lambda wildcards, input: options(converted=input.converted),
    message:
        "Finding the structures of pool {wildcards.pool} in their files"
    shell:
        "gapdesign frames --config {params.config:q} --pool {wildcards.pool:q} {params.structures} {params.converted}"
        " --output {output:q} > {log:q} 2>&1"


rule candidates_shard:
    input:
        prototypes=prototype_files,
        structures=structures_of,
        frames=frames_of,
        labelled=labelled_before_sampling,
        model=model_before_sampling,
        growth=growth_before,
    output:
        results("candidates/{pool}/{start}-{stop}.npz"),
    log:
        results("logs/candidates/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/candidates/{pool}/{start}-{stop}.tsv")
    group:
        in_group("shard")
    conda:
        shard_environment
    threads: cores("candidates")
    resources:
        **asks("candidates"),
    params:
        config=part("candidates", prototype_files, structures_of, potentials_of),
        frames=lambda wildcards, input: options(
            frames=input.frames, labelled=input.labelled, model=input.model, growth=input.growth
        ),
    message:
        "Making candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign candidates --config {params.config:q} --pool {wildcards.pool:q} --start {wildcards.start:q}"
        " --stop {wildcards.stop:q} {params.frames} --output {output:q} > {log:q} 2>&1"


rule candidates_refused:
    input:
        of_all_shards("candidates/{pool}/{start}-{stop}.npz"),
    output:
        report(results("candidates.csv"), caption="../report/candidates_table.rst", category="Candidates"),
    log:
        results("logs/candidates/refused.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    message:
        "Counting draws and refusals"
    shell:
        "gapdesign refused --candidates {input:q} --output {output:q} > {log:q} 2>&1"
