# Designs judged on existing labels: one basis for all potentials, rows in shards, a job per design.
rule replay_points:
    input:
        replay_ready,
        engine=engine_record,
        candidates=of_all_shards("candidates/{pool}/{start}-{stop}.npz"),
    output:
        results("replay/points.npz"),
    log:
        results("logs/replay/points.log"),
    benchmark:
        results("benchmarks/replay/points.tsv")
    conda:
        environment(REPLAYED.environment)
    threads: cores("replay-points")
    resources:
        **asks("replay-points"),
    params:
        config=part("replay-points"),
    message:
        "Choosing the functions that the potentials are expanded in"
    shell:
        "gapdesign replay-points --config {params.config:q} --candidates {input.candidates:q} --output {output:q} > {log:q} 2>&1"


rule replay_rows:
    input:
        candidates=results("candidates/{pool}/{start}-{stop}.npz"),
        points=results("replay/points.npz"),
    output:
        results("replay/rows/{pool}/{start}-{stop}.npy"),
    log:
        results("logs/replay/rows/{pool}/{start}-{stop}.log"),
    benchmark:
        results("benchmarks/replay/rows/{pool}/{start}-{stop}.tsv")
    conda:
        environment(REPLAYED.environment)
    threads: cores("replay-rows")
    resources:
        **asks("replay-rows"),
    params:
        config=part("replay-rows"),
    message:
        "Computing rows of candidates {wildcards.start} to {wildcards.stop} of pool {wildcards.pool}"
    shell:
        "gapdesign replay-rows --config {params.config:q} --candidates {input.candidates:q} --points {input.points:q}"
        " --output {output:q} > {log:q} 2>&1"


rule replay_labels:
    input:
        label_files,
        engine=engine_record,
        candidates=lambda wildcards: of_shards("candidates/{pool}/{start}-{stop}.npz", pool=wildcards.pool),
    output:
        results("replay/labels/{pool}.npz"),
    log:
        results("logs/replay/labels/{pool}.log"),
    benchmark:
        results("benchmarks/replay/labels/{pool}.tsv")
    conda:
        environment("core")
    threads: cores("replay-labels")
    resources:
        **asks("replay-labels"),
    params:
        config=part("replay-labels", label_files),
    message:
        "Finding the labels of pool {wildcards.pool}"
    shell:
        "gapdesign replay-labels --config {params.config:q} --pool {wildcards.pool:q} --candidates {input.candidates:q}"
        " --engine {input.engine:q} --output {output:q} > {log:q} 2>&1"


rule replay_start:
    input:
        label_files,
        **core_of_replay(),
        engine=engine_record,
        points=results("replay/points.npz"),
    output:
        start=results(f"replay/{START}"),
        potential=results(f"replay/{TEMPLATE}"),
    log:
        results("logs/replay/start.log"),
    benchmark:
        results("benchmarks/replay/start.tsv")
    conda:
        environment(REPLAYED.environment)
    threads: cores("replay-start")
    resources:
        **asks("replay-start"),
    params:
        config=part("replay-start", label_files),
    message:
        "Gathering what all training sets share"
    shell:
        "gapdesign replay-start --config {params.config:q} --points {input.points:q} --labels {input.labels:q}"
        " --engine {input.engine:q} --rows {input.rows:q} --output {output.start:q} --output-potential {output.potential:q} > {log:q} 2>&1"


rule replay_choose:
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
        costs=costs_if_known,
    output:
        results("replay/choices/{design}.csv"),
    log:
        results("logs/replay/choices/{design}.log"),
    benchmark:
        results("benchmarks/replay/choices/{design}.tsv")
    conda:
        environment(DESCRIPTOR_ENVIRONMENT)
    threads: cores("replay-choose")
    resources:
        **asks("replay-choose"),
    params:
        config=part("replay-choose", existing_of, descriptor_files),
        others=files_of_selection,
    message:
        "Choosing {wildcards.design} for every budget"
    shell:
        "gapdesign replay-choose --config {params.config:q} --design {wildcards.design:q}"
        " --candidates {input.candidates:q} --features {input.features:q} --sums {input.sums:q} {params.others}"
        " --compressed {input.compressed:q} --codes {input.codes:q} --environments {input.environments:q} --memory {resources.allowance}"
        " --threads {threads} --output {output:q} > {log:q} 2>&1"


rule replay_fit:
    input:
        start=results(f"replay/{START}"),
        choices=results("replay/choices/{design}.csv"),
        labels=expand(results("replay/labels/{pool}.npz"), pool=STUDY.pools.names),
        rows=bundled_of_pools("replay/rows/{pool}/{start}-{stop}.npy"),
    output:
        errors=results("replay/fits/{design}.csv"),
        coefficients=results("replay/fits/{design}.npy"),
    log:
        results("logs/replay/fits/{design}.log"),
    benchmark:
        results("benchmarks/replay/fits/{design}.tsv")
    conda:
        environment("core")
    threads: cores("replay-fit")
    resources:
        **asks("replay-fit"),
    params:
        config=part("replay-fit"),
    message:
        "Fitting the potentials of {wildcards.design}"
    shell:
        "gapdesign replay-fit --config {params.config:q} --design {wildcards.design:q}"
        " --choices {input.choices:q} --start {input.start:q} --labels {input.labels:q} --rows {input.rows:q}"
        " --output {output.errors:q} --output-coefficients {output.coefficients:q} > {log:q} 2>&1"


rule replay_bounds:
    input:
        start=results(f"replay/{START}"),
        labels=expand(results("replay/labels/{pool}.npz"), pool=STUDY.pools.names),
        rows=of_all_shards("replay/rows/{pool}/{start}-{stop}.npy"),
        costs=costs_of_candidates(),
    output:
        errors=results("replay/bounds.csv"),
        coefficients=results("replay/bounds.npy"),
    log:
        results("logs/replay/bounds.log"),
    benchmark:
        results("benchmarks/replay/bounds.tsv")
    conda:
        environment("core")
    threads: cores("replay-bounds")
    resources:
        **asks("replay-bounds"),
    params:
        config=part("replay-bounds"),
        costs=lambda wildcards, input: options(costs=input.costs),
    message:
        "Fitting the potentials of no candidate and of all candidates"
    shell:
        "gapdesign replay-bounds --config {params.config:q} --start {input.start:q} --labels {input.labels:q}"
        " --rows {input.rows:q} {params.costs} --output {output.errors:q} --output-coefficients {output.coefficients:q} > {log:q} 2>&1"


rule replay_surfaces:
    input:
        potential=results(f"replay/{TEMPLATE}"),
        errors=results("replay/{fits}.csv"),
        coefficients=results("replay/{fits}.npy"),
    output:
        results("replay/surfaces/{fits}.csv"),
    log:
        results("logs/replay/surfaces/{fits}.log"),
    benchmark:
        results("benchmarks/replay/surfaces/{fits}.tsv")
    conda:
        environment(REPLAYED.environment)
    threads: cores("replay-surfaces")
    resources:
        **asks("replay-surfaces"),
    params:
        config=part("replay-surfaces", prototype_files),
    message:
        "Computing surface energies of {wildcards.fits}"
    shell:
        "gapdesign replay-surfaces --config {params.config:q} --potential {input.potential:q} --errors {input.errors:q}"
        " --coefficients {input.coefficients:q} --output {output:q} > {log:q} 2>&1"


rule replay:
    input:
        surfaces=of_fits("replay/surfaces/{fits}.csv") if STUDY.replay.surfaces.prototype else [],
        errors=of_fits("replay/{fits}.csv"),
    output:
        surfaces=results_where(STUDY.replay.surfaces.prototype, "replay/surface_energies.csv"),
        errors=report(results("replay/errors.csv"), caption="../report/replay.rst", category="Replay"),
        equivalents=results("replay/equivalents.csv"),
        figures=report([results(file) for file in REPLAY_FIGURES], caption="../report/replay.rst", category="Replay"),
    log:
        results("logs/replay/replay.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    params:
        config=part("replay"),
        surfaces=lambda wildcards, input, output: options(surfaces=input.surfaces, output_surfaces=output.surfaces),
    message:
        "Collecting the errors of the designs"
    shell:
        "gapdesign replay --config {params.config:q} --errors {input.errors:q} {params.surfaces}"
        " --output-errors {output.errors:q} --output-equivalents {output.equivalents:q} --output-figures {output.figures:q} > {log:q} 2>&1"
