rule design:
    input:
        of_designs("designs/{design}.extxyz"),
        results("quality.csv"),
        results("design.html"),


rule design_basis:
    input:
        features=lambda wildcards: of_sample("descriptors/{pool}/{start}-{stop}.npy", pool=wildcards.pool),
    output:
        results("designs/compressed/{pool}/basis.npz"),
    log:
        results("logs/design/basis/{pool}.log"),
    benchmark:
        results("benchmarks/design/basis/{pool}.tsv")
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=growing(STUDY.selection.memory + OVERHEAD),
        runtime=growing(30),
    params:
        config=part("basis"),
    message:
        "Finding the directions in which pool {wildcards.pool} varies"
    shell:
        "gapdesign basis --config {params.config:q} --features {input.features} --output {output} > {log} 2>&1"


rule design_compress:
    input:
        basis=results("designs/compressed/{pool}/basis.npz"),
        features=results("descriptors/{pool}/{start}-{stop}.npy"),
    output:
        results("designs/compressed/{pool}/{start}-{stop}.npy"),
    log:
        results("logs/design/compress/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/design/compress/{pool}/{start}-{stop}.tsv")
    group:
        "compression"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=growing(STUDY.selection.memory + OVERHEAD),
        runtime=growing(30),
    params:
        config=part("compress"),
    message:
        "Compressing candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign compress --config {params.config:q} --basis {input.basis} --features {input.features}"
        " --output {output} > {log} 2>&1"


rule design_select:
    input:
        candidates=of_pool("candidates/{pool}/{start}-{stop}.npz"),
        features=of_pool("descriptors/{pool}/{start}-{stop}.npy"),
        sums=of_pool("descriptors/{pool}/sums/{start}-{stop}.npy"),
        compressed=of_compressed("designs/compressed/{pool}/{start}-{stop}.npy"),
        basis=basis_of,
        environments=environments_of("descriptors/{pool}/environments/{start}-{stop}.npz"),
        existing=existing_of,
    output:
        design=results("designs/{design}.extxyz"),
        features=results("designs/{design}.npy"),
        reserve=results("designs/reserve/{design}.extxyz"),
        reserve_features=results("designs/reserve/{design}.npy"),
        # No result: where the selection ended, so that a larger budget or pool goes on from there.
        state=update(results("designs/state/{design}.npz")),
    log:
        results("logs/design/select/{design}.log"),
    benchmark:
        results("benchmarks/design/select/{design}.tsv")
    conda:
        "../../envs/core.yaml"
    threads: 2
    resources:
        mem_mb=growing(STUDY.selection.memory + OVERHEAD),
        allowance=STUDY.selection.memory,
        runtime=growing(120),
    params:
        config=part("select"),
        basis=lambda wildcards, input: f"--basis {input.basis}" if input.basis else "",
    message:
        "Choosing {wildcards.design}"
    shell:
        "gapdesign select --config {params.config:q} --design {wildcards.design} --candidates {input.candidates}"
        " --features {input.features} --sums {input.sums} {params.basis} --compressed {input.compressed}"
        " --environments {input.environments}"
        " --memory {resources.allowance} --threads {threads} --output {output.design}"
        " --output-features {output.features} --reserve {output.reserve}"
        " --reserve-features {output.reserve_features} --state {output.state} > {log} 2>&1"


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
        mem_mb=growing(STUDY.selection.memory + OVERHEAD),
        allowance=STUDY.selection.memory,
        runtime=growing(60),
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
        "Collecting what is known before any label"
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
    threads: 1
    resources:
        mem_mb=growing(STUDY.selection.memory + OVERHEAD),
        allowance=STUDY.selection.memory,
        runtime=growing(120),
    params:
        config=part("regrow"),
        basis=lambda wildcards, input: f"--basis {input.basis}" if input.basis else "",
    message:
        "Choosing {wildcards.design} from less of its pool"
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
    threads: 1
    resources:
        mem_mb=growing(STUDY.selection.memory + OVERHEAD),
        allowance=STUDY.selection.memory,
        runtime=growing(120),
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
