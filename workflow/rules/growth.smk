# Pools that grow until they are wide enough: at each size at which one may end, whether it does.
if GROWING:

    rule growth:
        input:
            features=of_first("descriptors/{pool}/{start}-{stop}.npy"),
            sums=of_first("descriptors/{pool}/sums/{start}-{stop}.npy"),
            compressed=of_first("designs/compressed/{pool}/{start}-{stop}.npy"),
            codes=of_first("designs/compressed/{pool}/codes/{start}-{stop}.npy"),
            basis=results("designs/compressed/{pool}/basis.npz"),
            existing=existing_from,
            scaling=scaling_of,
            before=growth_of_half,
        output:
            results("growth/{pool}/{size}.json"),
        log:
            results("logs/growth/{pool}/{size}.log"),
        benchmark:
            results("benchmarks/growth/{pool}/{size}.tsv")
        conda:
            environment(DESCRIPTOR_ENVIRONMENT)
        threads: cores("grow")
        resources:
            **asks("grow"),
        params:
            config=part("grow", existing_from, descriptor_files_if_existing),
            others=lambda wildcards, input: options(scaling=input.scaling, before=input.before),
        message:
            "Judging pool {wildcards.pool} at {wildcards.size} candidates, where it may end; the later ones are then not made"
        shell:
            "gapdesign grow --config {params.config:q} --pool {wildcards.pool:q} --features {input.features:q}"
            " --sums {input.sums:q} --compressed {input.compressed:q} --codes {input.codes:q} --basis {input.basis:q}"
            " {params.others} --memory {resources.allowance} --threads {threads} --output {output:q} > {log:q} 2>&1"
