rule properties:
    input:
        [
            path.format(folder=folder)
            for folder in FOLDERS
            for path in if_properties(["{folder}properties.csv", *PROPERTY_FIGURES])
        ],


rule properties_model:
    input:
        potential_of,
    output:
        values=results("{folder}properties/values/{design}.csv"),
        curves=results("{folder}properties/curves/{design}.csv"),
    log:
        results("logs/{folder}properties/{design}.log"),
    benchmark:
        results("benchmarks/{folder}properties/{design}.tsv")
    conda:
        model_environment
    threads: cores("measure")
    resources:
        **asks("measure"),
    params:
        config=part("measure", prototype_files),
        kind=kind_of,
    message:
        "Measuring properties with the model of {wildcards.design}"
    shell:
        "gapdesign measure --config {params.config:q} --kind {params.kind} --potential {input:q} --output {output.values:q}"
        " --output-curves {output.curves:q} > {log:q} 2>&1"


rule properties_reference:
    input:
        engine_files,
        engine=engine_record,
    output:
        values=results("properties/values/reference.csv"),
        curves=results("properties/curves/reference.csv"),
    log:
        results("logs/properties/reference.log"),
    benchmark:
        results("benchmarks/properties/reference.tsv")
    conda:
        environment(ENGINE.environment)
    threads: cores("measure-reference")
    resources:
        **asks("measure-reference"),
    params:
        config=part("measure-reference", engine_contents, prototype_files),
        runs=where_to_run,
    message:
        f"Measuring properties with {STUDY.labels.engine}"
    shell:
        "gapdesign measure-reference --config {params.config:q} {params.runs} --engine {input.engine:q} --output {output.values:q}"
        " --output-curves {output.curves:q} > {log:q} 2>&1"


rule properties_table:
    input:
        values=of_potentials("{folder}properties/values/{design}.csv"),
        curves=of_potentials("{folder}properties/curves/{design}.csv"),
    output:
        table=report(results("{folder}properties.csv"), caption="../report/properties_table.rst", category="Properties"),
        curves=results("{folder}properties/curves.csv"),
    log:
        results("logs/{folder}properties/table.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    params:
        config=part("properties"),
    message:
        "Comparing properties with the reference"
    shell:
        "gapdesign properties --config {params.config:q} --values {input.values:q} --curves {input.curves:q}"
        " --output {output.table:q} --output-curves {output.curves:q} > {log:q} 2>&1"


rule properties_figures:
    input:
        table=results("{folder}properties.csv"),
        curves=results("{folder}properties/curves.csv"),
    output:
        report(if_properties(PROPERTY_FIGURES), caption="../report/properties.rst", category="Properties"),
    log:
        results("logs/{folder}properties/figures.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    params:
        config=part("properties-figures"),
    message:
        "Drawing properties"
    shell:
        "gapdesign properties-figures --config {params.config:q} --values {input.table:q} --curves {input.curves:q}"
        " --output {output:q} > {log:q} 2>&1"
