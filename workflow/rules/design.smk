rule design:
    input:
        of_first_rounds("designs/{design}.extxyz"),
        results("quality.csv"),
        results("quality/groups.csv"),
        results("design.html"),
        results("design-map.html"),


rule design_costs:
    input:
        candidates=results("candidates/{pool}/{start}-{stop}.npz"),
        timed=timed_frames,
    output:
        results("designs/costs/{pool}/{start}-{stop}.npy"),
    log:
        results("logs/design/costs/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/design/costs/{pool}/{start}-{stop}.tsv")
    group:
        "costs"
    conda:
        environment("core")
    threads: cores("costs")
    resources:
        **asks("costs"),
    params:
        config=part("costs", timed_frames),
    message:
        "Estimating the costs of labels of candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign costs --config {params.config:q} --candidates {input.candidates:q} --output {output:q} > {log:q} 2>&1"


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
        environment("core")
    threads: cores("basis")
    resources:
        **asks("basis"),
    params:
        config=part("basis"),
    message:
        "Finding the directions in which pool {wildcards.pool} varies"
    shell:
        "gapdesign basis --config {params.config:q} --features {input.features:q} --output {output:q} > {log:q} 2>&1"


rule design_compress:
    input:
        basis=results("designs/compressed/{pool}/basis.npz"),
        features=results("descriptors/{pool}/{start}-{stop}.npy"),
    output:
        compressed=results("designs/compressed/{pool}/{start}-{stop}.npy"),
        codes=results("designs/compressed/{pool}/codes/{start}-{stop}.npy"),
    log:
        results("logs/design/compress/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/design/compress/{pool}/{start}-{stop}.tsv")
    group:
        in_group("compression")
    conda:
        environment("core")
    threads: cores("compress")
    resources:
        **asks("compress"),
    params:
        config=part("compress"),
    message:
        "Compressing candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign compress --config {params.config:q} --basis {input.basis:q} --features {input.features:q}"
        " --output {output.compressed:q} --output-codes {output.codes:q} > {log:q} 2>&1"


rule design_select:
    input:
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
        design=results("designs/{chosen}{design}.extxyz"),
        features=results("designs/{chosen}{design}.npy"),
        reserve=results("designs/reserve/{chosen}{design}.extxyz"),
        reserve_features=results("designs/reserve/{chosen}{design}.npy"),
        # Not a result: the point where the selection ended, from which a larger budget or pool continues.
        state=update(results("designs/state/{chosen}{design}.npz")),
    log:
        results("logs/design/select/{chosen}{design}.log"),
    benchmark:
        results("benchmarks/design/select/{chosen}{design}.tsv")
    wildcard_constraints:
        chosen="|chosen/",  # the folder of designs that are polished
        design="|".join(map(re.escape, FIRST)),
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("select")
    resources:
        **asks("select"),
    params:
        config=part("select", existing_of, descriptor_files),
        others=files_of_selection,
    message:
        "Choosing {wildcards.design}"
    shell:
        "gapdesign select --config {params.config:q} --design {wildcards.design:q} --candidates {input.candidates:q}"
        " --features {input.features:q} --sums {input.sums:q} {params.others} --compressed {input.compressed:q} --codes {input.codes:q}"
        " --environments {input.environments:q}"
        " --memory {resources.allowance} --threads {threads} --output {output.design:q}"
        " --output-features {output.features:q} --output-reserve {output.reserve:q}"
        " --output-reserve-features {output.reserve_features:q} --state {output.state:q} > {log:q} 2>&1"


rule design_polish:
    input:
        chosen=results("designs/chosen/{design}.extxyz"),
        reserve=results("designs/reserve/chosen/{design}.extxyz"),
        reserve_features=results("designs/reserve/chosen/{design}.npy"),
        candidates=of_pool("candidates/{pool}/{start}-{stop}.npz"),
        features=of_pool("descriptors/{pool}/{start}-{stop}.npy"),
        sums=of_pool("descriptors/{pool}/sums/{start}-{stop}.npy"),
        existing=existing_of,
        scaling=scaling_of,
    output:
        design=results("designs/{design}.extxyz"),
        features=results("designs/{design}.npy"),
        reserve=results("designs/reserve/{design}.extxyz"),
        reserve_features=results("designs/reserve/{design}.npy"),
        summary=results("designs/polished/{design}.json"),
    log:
        results("logs/design/polish/{design}.log"),
    benchmark:
        results("benchmarks/design/polish/{design}.tsv")
    wildcard_constraints:
        design="|".join(map(re.escape, POLISHED)) or "(?!)",
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("polish")
    resources:
        **asks("polish"),
    params:
        config=part("polish", existing_of, descriptor_files),
        others=lambda wildcards, input: options(scaling=input.scaling),
    message:
        "Polishing {wildcards.design}"
    shell:
        "gapdesign polish --config {params.config:q} --design {wildcards.design:q} --chosen {input.chosen:q}"
        " --chosen-reserve {input.reserve:q} --chosen-reserve-features {input.reserve_features:q}"
        " --candidates {input.candidates:q} --features {input.features:q} --sums {input.sums:q} {params.others}"
        " --memory {resources.allowance} --output {output.design:q} --output-features {output.features:q}"
        " --output-reserve {output.reserve:q} --output-reserve-features {output.reserve_features:q}"
        " --output-summary {output.summary:q} > {log:q} 2>&1"


# What is polished is chosen into a folder of its own.
ruleorder: design_polish > design_select
