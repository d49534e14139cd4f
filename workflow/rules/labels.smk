rule labels:
    input:
        of_designs("labels/{design}.extxyz"),
        results("labels/isolated.extxyz"),
        results("labels/failed.csv"),


rule labels_engine:
    input:
        engine_files,
    output:
        results("labels/engine.json"),
    log:
        results("logs/labels/engine.log"),
    benchmark:
        results("benchmarks/labels/engine.tsv")
    priority: 1
    conda:
        environment(ENGINE.environment)
    threads: cores("engine")
    resources:
        **asks("engine"),
    params:
        config=part("engine", engine_contents),
    message:
        f"Checking that {STUDY.labels.engine} can run"
    shell:
        "gapdesign engine --config {params.config:q} --output {output:q} > {log:q} 2>&1"


rule labels_isolated:
    input:
        engine_files,
        engine=engine_record,
    output:
        results("labels/isolated.extxyz"),
    log:
        results("logs/labels/isolated.log"),
    benchmark:
        results("benchmarks/labels/isolated.tsv")
    conda:
        environment(ENGINE.environment)
    threads: cores("isolated")
    resources:
        **asks("isolated"),
    params:
        config=part("isolated", engine_contents),
        runs=where_to_run,
    message:
        f"Labelling isolated atoms with {STUDY.labels.engine}"
    shell:
        "gapdesign isolated --config {params.config:q} {params.runs} --engine {input.engine:q} --output {output:q} > {log:q} 2>&1"


rule labels_batch:
    input:
        engine_files,
        engine=engine_record,
        designs=designs_labelled,
        reserves=reserves_before,
    output:
        frames=results("labels/batches/{design}/{first}-{last}.extxyz"),
        failed=results("labels/batches/{design}/{first}-{last}.failed.csv"),
    log:
        results("logs/labels/batches/{design}/{first}-{last}.log"),
    benchmark:
        results("benchmarks/labels/batches/{design}/{first}-{last}.tsv")
    conda:
        environment(ENGINE.environment)
    threads: cores("label")
    resources:
        **asks("label"),
    params:
        config=part("label", engine_contents),
        runs=where_to_run,
        max_failed=max_failed,
    message:
        f"Labelling ranks {{wildcards.first}} to {{wildcards.last}} of {{wildcards.design}} with {STUDY.labels.engine}"
    shell:
        "gapdesign label --config {params.config:q} {params.runs} --engine {input.engine:q} --designs {input.designs:q} --reserves {input.reserves:q}"
        " --design {wildcards.design:q} --first {wildcards.first:q} --last {wildcards.last:q}"
        " --max-failed {params.max_failed} --output {output.frames:q} --output-failed {output.failed:q}"
        " > {log:q} 2>&1"


rule labels_design:
    input:
        engine_files,
        engine=engine_record,
        designs=designs_labelled,
        reserves=reserves_labelled,
        labelled=labelled_before,
        failed=failed_before,
    output:
        frames=results("labels/{design}.extxyz"),
        failed=results("labels/failed/{design}.csv"),
        costs=results_where(REMEASURED, "labels/costs/{design}.csv"),
    log:
        results("logs/labels/{design}.log"),
    benchmark:
        results("benchmarks/labels/{design}.tsv")
    conda:
        environment(ENGINE.environment)
    threads: cores("labels")
    resources:
        **asks("labels"),
    params:
        config=part("labels", engine_contents),
        runs=where_to_run,
        max_failed=max_failed,
        # Derived from the output, it gives Snakemake no reason to label again.
        costs=lambda wildcards, input, output: options(output_costs=output.costs),
    message:
        "Collecting the labels of {wildcards.design}, and labelling replacements for those that failed"
    shell:
        "gapdesign labels --config {params.config:q} {params.runs} --engine {input.engine:q} --design {wildcards.design:q} --designs {input.designs:q}"
        " --reserves {input.reserves:q} --labelled {input.labelled:q} --failed {input.failed:q}"
        " --max-failed {params.max_failed} --output {output.frames:q} --output-failed {output.failed:q}"
        " {params.costs} > {log:q} 2>&1"


rule labels_failed:
    input:
        tables=of_designs("labels/failed/{design}.csv"),
        designs=of_designs("designs/{design}.extxyz"),
        reserves=of_designs("designs/reserve/{design}.extxyz"),
        labelled=of_designs("labels/{design}.extxyz"),
        isolated=results("labels/isolated.extxyz"),
    output:
        table=results("labels/failed.csv"),
        structures=results("labels/failed.extxyz"),
        suspicions=results("labels/suspicions.csv"),
    log:
        results("logs/labels/failed.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    params:
        config=part("failed"),
    message:
        "Collecting the structures without a label, and checking labels against one another"
    shell:
        "gapdesign failed --config {params.config:q} --tables {input.tables:q} --designs {input.designs:q}"
        " --reserves {input.reserves:q} --labelled {input.labelled:q} --isolated {input.isolated:q} --output {output.table:q}"
        " --output-structures {output.structures:q} --output-suspicions {output.suspicions:q} > {log:q} 2>&1"
