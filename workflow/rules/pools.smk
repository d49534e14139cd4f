rule pools:
    input:
        features=of_all_shards("descriptors/{pool}/{start}-{stop}.npy") if COMPARED == "features" else [],
        environments=of_pools("environments/{pool}.npz") if COMPARED == "environments" else [],
    output:
        table=report(results("pools.csv"), caption="../report/pools.rst", category="Candidates"),
        quantiles=results("pools-quantiles.csv"),
        figure=report(results("figures/pools.svg"), caption="../report/pools.rst", category="Candidates"),
    log:
        results("logs/candidates/pools.log"),
    benchmark:
        results("benchmarks/candidates/pools.tsv")
    conda:
        environment("core")
    threads: cores("pools")
    resources:
        **asks("pools"),
    params:
        config=part("pools"),
        of=f"--{COMPARED}",
    message:
        "Comparing the pools, each against each"
    shell:
        "gapdesign pools --config {params.config:q} {params.of} {input:q} --output {output.table:q}"
        " --output-quantiles {output.quantiles:q} --output-figure {output.figure:q} > {log:q} 2>&1"


rule environments:
    input:
        environments=of_pools("environments/{pool}.npz"),
        # The pools have the environments of candidates, so that polished designs are there as they were chosen.
        designs=[results(f"designs/{'chosen/' * (design in POLISHED)}{design}.extxyz") for design in FIRST],
    output:
        designs=report(results("environments/designs.csv"), caption="../report/coverage.rst", category="Designs"),
        correlations=results("environments/correlations.csv"),
        entropies=results("environments/entropies.csv"),
        entropies_figure=results("figures/entropies.svg"),
        histograms=results("environments/histograms.csv"),
        histograms_figure=results("figures/histograms.svg"),
        radial=results("environments/radial.csv"),
        radial_figure=results("figures/radial.svg"),
    log:
        results("logs/candidates/coverage.log"),
    benchmark:
        results("benchmarks/candidates/coverage.tsv")
    conda:
        environment("core")
    threads: cores("coverage")
    resources:
        **asks("coverage"),
    params:
        config=part("coverage"),
    message:
        "Finding the environments that each design covers"
    shell:
        "gapdesign coverage --config {params.config:q} --environments {input.environments:q} --designs {input.designs:q}"
        " --output {output.designs:q} --output-correlations {output.correlations:q}"
        " --output-entropies {output.entropies:q}"
        " --output-entropies-figure {output.entropies_figure:q} --output-histograms {output.histograms:q}"
        " --output-histograms-figure {output.histograms_figure:q} --output-radial {output.radial:q}"
        " --output-radial-figure {output.radial_figure:q} > {log:q} 2>&1"


rule environments_pool:
    input:
        candidates=lambda wildcards: of_shards("candidates/{pool}/{start}-{stop}.npz", wildcards.pool),
    output:
        results("environments/{pool}.npz"),
    log:
        results("logs/candidates/environments/{pool}.log"),
    benchmark:
        results("benchmarks/candidates/environments/{pool}.tsv")
    conda:
        environment(COMPARISON_ENVIRONMENT)
    threads: cores("environments")
    resources:
        **asks("environments"),
    params:
        config=part("environments"),
    message:
        "Describing the environments of pool {wildcards.pool}"
    shell:
        "gapdesign environments --config {params.config:q} --candidates {input.candidates:q} --output {output:q}"
        " > {log:q} 2>&1"
