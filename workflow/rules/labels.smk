rule labels:
    input:
        of_designs("labels/{design}.extxyz"),
        results("labels/isolated.extxyz"),
        results("labels/failed.csv"),


rule labels_isolated:
    input:
        engine_ready,
    output:
        results("labels/isolated.extxyz"),
    log:
        results("logs/labels/isolated.log"),
    benchmark:
        results("benchmarks/labels/isolated.tsv")
    conda:
        f"../../envs/{ENGINE_ENVIRONMENT}.yaml"
    threads: STUDY.labels.cores
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        config=part("isolated"),
        store=STUDY.labels.store,
    message:
        f"Labelling isolated atoms by {STUDY.labels.engine}"
    shell:
        "gapdesign isolated --config {params.config:q} --store {params.store:q} --output {output} > {log} 2>&1"


rule labels_batch:
    input:
        engine_ready,
        designs=lambda wildcards: [results(f"designs/{design}.extxyz") for design in up_to(wildcards.design)],
    output:
        frames=results("labels/batches/{design}/{first}-{last}.extxyz"),
        failed=results("labels/batches/{design}/{first}-{last}.failed.csv"),
    log:
        results("logs/labels/batches/{design}/{first}-{last}.log"),
    benchmark:
        results("benchmarks/labels/batches/{design}/{first}-{last}.tsv")
    conda:
        f"../../envs/{ENGINE_ENVIRONMENT}.yaml"
    threads: STUDY.labels.cores
    resources:
        mem_mb=growing(1500),
        runtime=growing(240),
    params:
        config=part("label"),
        store=STUDY.labels.store,
    message:
        f"Labelling ranks {{wildcards.first}} to {{wildcards.last}} of {{wildcards.design}} by {STUDY.labels.engine}"
    shell:
        "gapdesign label --config {params.config:q} --store {params.store:q} --designs {input.designs}"
        " --design {wildcards.design} --first {wildcards.first} --last {wildcards.last} --output {output.frames}"
        " --failed {output.failed} > {log} 2>&1"


rule labels_design:
    input:
        design=results("designs/{design}.extxyz"),
        batches=lambda wildcards: of_batches("labels/batches/{design}/{first}-{last}.extxyz", up_to(wildcards.design)),
    output:
        results("labels/{design}.extxyz"),
    log:
        results("logs/labels/{design}.log"),
    localrule: True
    conda:
        "../../envs/core.yaml"
    threads: 1
    message:
        "Collecting the labels of {wildcards.design}"
    shell:
        "gapdesign labels --design {input.design} --batches {input.batches} --output {output} > {log} 2>&1"


rule labels_failed:
    input:
        of_batches("labels/batches/{design}/{first}-{last}.failed.csv", DESIGNS),
    output:
        results("labels/failed.csv"),
    log:
        results("logs/labels/failed.log"),
    localrule: True
    conda:
        "../../envs/core.yaml"
    threads: 1
    message:
        "Collecting the structures without a label"
    shell:
        "gapdesign concatenate --tables {input} --output {output} > {log} 2>&1"
