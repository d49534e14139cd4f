rule design:
    input:
        of_designs("designs/{design}.extxyz"),
        results("quality.csv"),


rule design_search:
    input:
        features=lambda wildcards: results(
            f"descriptors/{STUDY.designs[wildcards.design].pool}/{wildcards.start}-{wildcards.stop}.npy"
        ),
    output:
        results("designs/search/{design}/{start}-{stop}.npy"),
    log:
        results("logs/design/search/{design}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/design/search/{design}/{start}-{stop}.tsv")
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=STUDY.selection.memory,
        runtime=60,
    params:
        config=part("search"),
    message:
        "Searching candidates {wildcards.start} to {wildcards.stop} for {wildcards.design}"
    shell:
        "gapdesign search --config {params.config:q} --design {wildcards.design} --features {input.features}"
        " --output {output} > {log} 2>&1"


rule design_select:
    input:
        candidates=of_pool("candidates/{pool}/{start}-{stop}.npz"),
        features=of_pool("descriptors/{pool}/{start}-{stop}.npy"),
        found=of_search,
    output:
        design=results("designs/{design}.extxyz"),
        features=results("designs/{design}.npy"),
    log:
        results("logs/design/select/{design}.log"),
    benchmark:
        results("benchmarks/design/select/{design}.tsv")
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=STUDY.selection.memory,
        runtime=120,
    params:
        config=part("select"),
    message:
        "Choosing {wildcards.design}"
    shell:
        "gapdesign select --config {params.config:q} --design {wildcards.design} --candidates {input.candidates}"
        " --features {input.features} --found {input.found} --memory {resources.mem_mb} --output {output.design}"
        " --output-features {output.features} > {log} 2>&1"


rule design_quality:
    input:
        structures=results("designs/{design}.extxyz"),
        features=of_pool("descriptors/{pool}/{start}-{stop}.npy"),
        designs=of_designs("designs/{design}.npy"),
    output:
        results("designs/quality/{design}.csv"),
    log:
        results("logs/design/quality/{design}.log"),
    benchmark:
        results("benchmarks/design/quality/{design}.tsv")
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=STUDY.selection.memory,
        runtime=60,
    params:
        config=part("quality"),
    message:
        "Measuring {wildcards.design}"
    shell:
        "gapdesign quality --config {params.config:q} --design {wildcards.design} --structures {input.structures}"
        " --features {input.features} --designs {input.designs} --memory {resources.mem_mb} --output {output}"
        " > {log} 2>&1"


rule quality:
    input:
        of_designs("designs/quality/{design}.csv"),
    output:
        report(results("quality.csv"), caption="../report/quality_table.rst", category="Designs"),
    log:
        results("logs/design/quality.log"),
    localrule: True
    conda:
        "../../envs/core.yaml"
    threads: 1
    message:
        "Collecting what is known before any label"
    shell:
        "gapdesign concatenate --tables {input} --output {output} > {log} 2>&1"
