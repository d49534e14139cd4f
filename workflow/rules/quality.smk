rule design_quality:
    input:
        structures=results("designs/{design}.extxyz"),
        features=of_pool("descriptors/{pool}/{start}-{stop}.npy"),
        designs=bundled("designs/{design}.npy", "designs", len(FIRST)),
        timed=timed_frames,
    output:
        results("designs/quality/{design}.csv"),
    log:
        results("logs/design/quality/{design}.log"),
    benchmark:
        results("benchmarks/design/quality/{design}.tsv")
    conda:
        environment("core")
    threads: cores("quality")
    resources:
        **asks("quality"),
    params:
        config=part("quality", timed_frames),
    message:
        "Measuring {wildcards.design}"
    shell:
        "gapdesign quality --config {params.config:q} --design {wildcards.design:q} --structures {input.structures:q}"
        " --features {input.features:q} --designs {input.designs:q} --memory {resources.allowance} --output {output:q}"
        " > {log:q} 2>&1"


rule quality:
    input:
        of_first_rounds("designs/quality/{design}.csv"),
    output:
        report(results("quality.csv"), caption="../report/quality_table.rst", category="Designs"),
    log:
        results("logs/design/quality.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    message:
        "Collecting the measures known before any label"
    shell:
        "gapdesign concatenate --tables {input:q} --output {output:q} > {log:q} 2>&1"


rule design_regrow:
    input:
        features=of_pool("descriptors/{pool}/{start}-{stop}.npy"),
        compressed=of_compressed("designs/compressed/{pool}/{start}-{stop}.npy"),
        codes=of_compressed("designs/compressed/{pool}/codes/{start}-{stop}.npy"),
        basis=basis_of,
        existing=existing_of,
        scaling=scaling_of,
    output:
        results("designs/regrown/{design}.csv"),
    log:
        results("logs/design/regrow/{design}.log"),
    benchmark:
        results("benchmarks/design/regrow/{design}.tsv")
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("regrow")
    resources:
        **asks("regrow"),
    params:
        config=part("regrow", existing_of, descriptor_files),
        others=lambda wildcards, input: options(basis=input.basis, scaling=input.scaling),
    message:
        "Choosing {wildcards.design} from smaller pools"
    shell:
        "gapdesign regrow --config {params.config:q} --design {wildcards.design:q} --features {input.features:q}"
        " {params.others} --compressed {input.compressed:q} --codes {input.codes:q} --memory {resources.allowance} --threads {threads}"
        " --output {output:q} > {log:q} 2>&1"


rule design_raise:
    input:
        structures=results("designs/{design}.extxyz"),
        candidates=of_pool("candidates/{pool}/{start}-{stop}.npz"),
        features=of_pool("descriptors/{pool}/{start}-{stop}.npy"),
        sums=of_pool("descriptors/{pool}/sums/{start}-{stop}.npy"),
        compressed=of_compressed("designs/compressed/{pool}/{start}-{stop}.npy"),
        codes=of_compressed("designs/compressed/{pool}/codes/{start}-{stop}.npy"),
        basis=basis_of,
        environments=environments_of("descriptors/{pool}/environments/{start}-{stop}.npz"),
        rows=rows_of,
        functions=functions_of,
        existing=existing_of,
        scaling=scaling_of,
        costs=costs_of_design,
    output:
        results("designs/raised/{design}.csv"),
    log:
        results("logs/design/raise/{design}.log"),
    benchmark:
        results("benchmarks/design/raise/{design}.tsv")
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("raise")
    resources:
        **asks("raise"),
    params:
        config=part("raise", existing_of, descriptor_files),
        others=files_of_selection,
    message:
        "Choosing {wildcards.design} with more core-hours"
    shell:
        "gapdesign raise --config {params.config:q} --design {wildcards.design:q} --structures {input.structures:q}"
        " --candidates {input.candidates:q} --features {input.features:q} --sums {input.sums:q} {params.others}"
        " --compressed {input.compressed:q} --codes {input.codes:q} --environments {input.environments:q} --memory {resources.allowance}"
        " --threads {threads} --output {output:q} > {log:q} 2>&1"


rule design_curves:
    input:
        candidates=lambda wildcards: of_shards("candidates/{pool}/{start}-{stop}.npz", pool=wildcards.pool),
        features=lambda wildcards: of_shards("descriptors/{pool}/{start}-{stop}.npy", pool=wildcards.pool),
        designs=lambda wildcards: of_designs_from(wildcards.pool, "designs/{design}.extxyz"),
        polished=polished_from,
        regrown=regrown_from,
        existing=existing_from,
        scaling=scaling_if_existing,
        timed=timed_frames,
    output:
        curves=results("quality/pools/{pool}/curves.csv"),
        members=results("quality/pools/{pool}/members.csv"),
        coverage=results("quality/pools/{pool}/coverage.csv"),
        pools=results("quality/pools/{pool}/pools.csv"),
        groups=results("quality/pools/{pool}/groups.csv"),
        map=results("quality/pools/{pool}/map.json"),
    log:
        results("logs/design/curves/{pool}.log"),
    benchmark:
        results("benchmarks/design/curves/{pool}.tsv")
    conda:
        environment(CURVES_ENVIRONMENT)
    threads: cores("curves")
    resources:
        **asks("curves"),
    params:
        config=part("curves", existing_from, descriptor_files_if_existing, timed_frames),
        others=lambda wildcards, input: options(scaling=input.scaling, polished=input.polished),
    message:
        "Measuring the designs of pool {wildcards.pool} against budget and pool size"
    shell:
        "gapdesign curves --config {params.config:q} --pool {wildcards.pool:q} --candidates {input.candidates:q}"
        " --features {input.features:q} --designs {input.designs:q} --regrown {input.regrown:q} {params.others}"
        " --memory {resources.allowance} --output {output.curves:q} --output-members {output.members:q}"
        " --output-coverage {output.coverage:q} --output-pools {output.pools:q} --output-groups {output.groups:q}"
        " --output-map {output.map:q} > {log:q} 2>&1"


rule design_page:
    input:
        curves=of_pools_chosen("quality/pools/{pool}/curves.csv"),
        members=of_pools_chosen("quality/pools/{pool}/members.csv"),
        coverage=of_pools_chosen("quality/pools/{pool}/coverage.csv"),
        pools=of_pools_chosen("quality/pools/{pool}/pools.csv"),
        groups=of_pools_chosen("quality/pools/{pool}/groups.csv"),
        maps=of_pools_chosen("quality/pools/{pool}/map.json"),
        quality=results("quality.csv"),
        designs=of_first_rounds("designs/{design}.extxyz"),
        features=of_first_rounds("designs/{design}.npy"),
        raised=[results(f"designs/raised/{design}.csv") for design in RAISED],
        growth=of_growth(),
    output:
        raised=results_where(RAISED, "quality/raised.csv"),
        growth=results_where(GROWING, "quality/growth.csv"),
        curves=results("quality/curves.csv"),
        members=results("quality/members.csv"),
        coverage=results("quality/coverage.csv"),
        pools=results("quality/pools.csv"),
        groups=results("quality/groups.csv"),
        page=report(results("design.html"), caption="../report/design.rst", category="Designs"),
        map=report(results("design-map.html"), caption="../report/map.rst", category="Designs"),
    log:
        results("logs/design/page.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    params:
        config=part("page"),
        raised=lambda wildcards, input, output: options(
            raised=input.raised, output_raised=output.raised, growth=input.growth, output_growth=output.growth
        ),
    message:
        "Writing {output.page}"
    shell:
        "gapdesign page --config {params.config:q} --curves {input.curves:q} --members {input.members:q}"
        " --coverage {input.coverage:q} --pools {input.pools:q} --groups {input.groups:q} --maps {input.maps:q}"
        " --quality {input.quality:q} --designs {input.designs:q}"
        " --features {input.features:q} --output {output.page:q} --output-map {output.map:q} --output-curves {output.curves:q}"
        " --output-members {output.members:q} --output-coverage {output.coverage:q} --output-pools {output.pools:q}"
        " --output-groups {output.groups:q} {params.raised} > {log:q} 2>&1"
