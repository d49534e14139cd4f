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
    threads: cores("quality")
    resources:
        **asks("quality"),
    params:
        config=part("quality"),
    message:
        "Measuring {wildcards.design}"
    shell:
        "gapdesign quality --config {params.config:q} --design {wildcards.design} --structures {input.structures}"
        " --features {input.features} --designs {input.designs} --memory {resources.allowance} --output {output}"
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
        "Collecting the measures known before any label"
    shell:
        "gapdesign concatenate --tables {input} --output {output} > {log} 2>&1"


rule design_regrow:
    input:
        features=of_pool("descriptors/{pool}/{start}-{stop}.npy"),
        compressed=of_compressed("designs/compressed/{pool}/{start}-{stop}.npy"),
        basis=basis_of,
        existing=existing_of,
    output:
        results("designs/regrown/{design}.csv"),
    log:
        results("logs/design/regrow/{design}.log"),
    benchmark:
        results("benchmarks/design/regrow/{design}.tsv")
    conda:
        "../../envs/core.yaml"
    threads: cores("regrow")
    resources:
        **asks("regrow"),
    params:
        config=part("regrow", existing_of),
        basis=lambda wildcards, input: f"--basis {input.basis}" if input.basis else "",
    message:
        "Choosing {wildcards.design} from smaller pools"
    shell:
        "gapdesign regrow --config {params.config:q} --design {wildcards.design} --features {input.features}"
        " {params.basis} --compressed {input.compressed} --memory {resources.allowance} --threads {threads}"
        " --output {output} > {log} 2>&1"


rule design_curves:
    input:
        candidates=lambda wildcards: of_shards("candidates/{pool}/{start}-{stop}.npz", pool=wildcards.pool),
        features=lambda wildcards: of_shards("descriptors/{pool}/{start}-{stop}.npy", pool=wildcards.pool),
        designs=lambda wildcards: of_designs_from(wildcards.pool, "designs/{design}.extxyz"),
        regrown=regrown_from,
    output:
        curves=results("quality/pools/{pool}/curves.csv"),
        members=results("quality/pools/{pool}/members.csv"),
        coverage=results("quality/pools/{pool}/coverage.csv"),
        pools=results("quality/pools/{pool}/pools.csv"),
    log:
        results("logs/design/curves/{pool}.log"),
    benchmark:
        results("benchmarks/design/curves/{pool}.tsv")
    conda:
        "../../envs/core.yaml"
    threads: cores("curves")
    resources:
        **asks("curves"),
    params:
        config=part("curves"),
    message:
        "Measuring the designs of pool {wildcards.pool} against budget and pool size"
    shell:
        "gapdesign curves --config {params.config:q} --pool {wildcards.pool} --candidates {input.candidates}"
        " --features {input.features} --designs {input.designs} --regrown {input.regrown}"
        " --memory {resources.allowance} --output {output.curves} --output-members {output.members}"
        " --output-coverage {output.coverage} --output-pools {output.pools} > {log} 2>&1"


rule design_page:
    input:
        curves=of_pools_chosen("quality/pools/{pool}/curves.csv"),
        members=of_pools_chosen("quality/pools/{pool}/members.csv"),
        coverage=of_pools_chosen("quality/pools/{pool}/coverage.csv"),
        pools=of_pools_chosen("quality/pools/{pool}/pools.csv"),
        quality=results("quality.csv"),
        designs=of_designs("designs/{design}.extxyz"),
        features=of_designs("designs/{design}.npy"),
    output:
        curves=results("quality/curves.csv"),
        members=results("quality/members.csv"),
        coverage=results("quality/coverage.csv"),
        pools=results("quality/pools.csv"),
        page=report(results("design.html"), caption="../report/design.rst", category="Designs"),
    log:
        results("logs/design/page.log"),
    localrule: True
    conda:
        "../../envs/core.yaml"
    threads: 1
    params:
        config=part("page"),
    message:
        "Writing {output.page}"
    shell:
        "gapdesign page --config {params.config:q} --curves {input.curves} --members {input.members}"
        " --coverage {input.coverage} --pools {input.pools} --quality {input.quality} --designs {input.designs}"
        " --features {input.features} --output {output.page} --output-curves {output.curves}"
        " --output-members {output.members} --output-coverage {output.coverage} --output-pools {output.pools} > {log} 2>&1"
