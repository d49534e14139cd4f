rule properties:
    input:
        table=if_properties("properties.csv"),
        figures=if_properties(PROPERTY_FIGURES),


rule properties_model:
    input:
        results("models/{design}/gp.xml"),
    output:
        values=results("properties/values/{design}.csv"),
        curves=results("properties/curves/{design}.csv"),
    log:
        results("logs/properties/{design}.log"),
    benchmark:
        results("benchmarks/properties/{design}.tsv")
    conda:
        environment("gap")
    threads: cores("measure")
    resources:
        **asks("measure"),
    params:
        config=part("measure", prototype_files),
    message:
        "Measuring properties with the model of {wildcards.design}"
    shell:
        "gapdesign measure --config {params.config:q} --potential {input:q} --output {output.values:q}"
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
        values=of_potentials("properties/values/{design}.csv"),
        curves=of_potentials("properties/curves/{design}.csv"),
    output:
        table=report(results("properties.csv"), caption="../report/properties_table.rst", category="Properties"),
        curves=results("properties/curves.csv"),
    log:
        results("logs/properties/table.log"),
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
        table=results("properties.csv"),
        curves=results("properties/curves.csv"),
    output:
        report(if_properties(PROPERTY_FIGURES), caption="../report/properties.rst", category="Properties"),
    log:
        results("logs/properties/figures.log"),
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
