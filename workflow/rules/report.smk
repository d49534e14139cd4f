from gapdesign.report import figures as report_drawings


rule report_provenance:
    input:
        of_compared("designs/{design}.extxyz"),
        of_compared("labels/{design}.extxyz"),
        of_models("{folder}models/{design}/hyperparameters.json"),
        models_of,
        results("labels/isolated.extxyz"),
        results("quality.csv"),
        results("design.html"),
        results("{folder}crossval/errors.csv"),
        results("{folder}crossval/errors_by_group.csv"),
        results("{folder}crossval/predictions.csv"),
        results("{folder}crossval/forces.csv"),
        if_properties("{folder}properties.csv"),
        if_replay(REPLAY_TABLES),
        if_rounds("rounds.csv"),
        results_where(GROWING, "quality/growth.csv"),
    output:
        results("{folder}provenance.json"),
    log:
        results("logs/{folder}report/provenance.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    params:
        config=part("provenance"),
    message:
        "Recording versions and checksums"
    shell:
        "gapdesign provenance --config {params.config:q} --files {input:q} --output {output:q} > {log:q} 2>&1"


rule report_figures:
    input:
        designs=of_compared("designs/{design}.extxyz"),
        features=of_compared("designs/{design}.npy"),
        errors=results("{folder}crossval/errors.csv"),
        predictions=results("{folder}crossval/predictions.csv"),
        duplicates=results("{folder}crossval/duplicates.csv"),
        forces=results("{folder}crossval/forces.csv"),
    output:
        worst=report(results("{folder}figures/worst.svg"), caption="../report/worst.rst", category="Models"),
        distances=report(
            results("{folder}figures/distances.svg"), caption="../report/distances.rst", category="Designs"
        ),
        ranks=report(results("{folder}figures/ranks.svg"), caption="../report/ranks.rst", category="Designs"),
        errors=report(results("{folder}figures/errors.svg"), caption="../report/errors.rst", category="Models"),
        parity=report(results("{folder}figures/parity.svg"), caption="../report/parity.rst", category="Models"),
        force_errors=report(
            results("{folder}figures/force_errors.svg"), caption="../report/force_errors.rst", category="Models"
        ),
        force_parity=report(
            results("{folder}figures/force_parity.svg"), caption="../report/force_parity.rst", category="Models"
        ),
        virial_parity=report(
            results("{folder}figures/virial_parity.svg"), caption="../report/virial_parity.rst", category="Models"
        ),
        manuscript=expand(results("{folder}figures/{name}.pdf"), name=list(report_drawings.FIGURES), allow_missing=True),
        tables=expand(results("{folder}figures/{name}.csv"), name=list(report_drawings.TABLES), allow_missing=True),
    log:
        results("logs/{folder}report/figures.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    params:
        config=part("figures"),
    message:
        "Drawing the figures"
    shell:
        "gapdesign figures --config {params.config:q} --designs {input.designs:q} --features {input.features:q}"
        " --errors {input.errors:q} --predictions {input.predictions:q} --duplicates {input.duplicates:q}"
        " --forces {input.forces:q} --output {output:q} > {log:q} 2>&1"


rule report_estimate:
    output:
        results("estimate.json"),
    log:
        results("logs/report/estimate.log"),
    localrule: True
    conda:
        environment("workflow")
    threads: 1
    params:
        config=part("estimate"),
    message:
        "Estimating the cost of the stages"
    shell:
        "gapdesign estimate --config {params.config:q} --output {output:q} > {log:q} 2>&1"


# The page of the first kind of model comes after those of the others, which it links.
for folder, chosen in FOLDERS.items():

    rule:
        name:
            f"report_{chosen.kind}" if folder else "report"
        input:
            designs=of_compared("designs/{design}.extxyz"),
            labelled=of_compared("labels/{design}.extxyz"),
            figures=expand(
                results("{folder}figures/{name}{suffix}"),
                folder=folder,
                name=list(report_drawings.FIGURES),
                suffix=[".svg", ".pdf"],
            ),
            tables=expand(results("{folder}figures/{name}.csv"), folder=folder, name=list(report_drawings.TABLES)),
            predictions=results(f"{folder}crossval/predictions.csv"),
            forces=results(f"{folder}crossval/forces.csv"),
            properties=if_properties(f"{folder}properties.csv"),
            curves=if_properties(f"{folder}properties/curves.csv"),
            replay=if_replay(REPLAY_FIGURES),
            replay_tables=if_replay(REPLAY_TABLES),
            equivalents=if_replay("replay/equivalents.csv"),
            rounds=if_rounds("rounds.csv"),
            property_figures=if_properties([path.format(folder=folder) for path in PROPERTY_FIGURES]),
            hyperparameters=of_models(f"{folder}models/{{design}}/hyperparameters.json"),
            candidates=results("candidates.csv"),
            quality=results("quality.csv"),
            maps=of_pools_chosen("quality/pools/{pool}/map.json"),
            errors=results(f"{folder}crossval/errors.csv"),
            duplicates=results(f"{folder}crossval/duplicates.csv"),
            bootstrap=results(f"{folder}crossval/bootstrap.csv"),
            failed=results("labels/failed.csv"),
            suspicions=results("labels/suspicions.csv"),
            groups=results("quality/groups.csv"),
            engine=engine_record,
            provenance=results(f"{folder}provenance.json"),
            estimate=results("estimate.json"),
            others=errors_of_others(folder),
            trainings=trainings_of(folder),
            pages=[results(f"{other}report.html") for other in FOLDERS if other and not folder],
        output:
            page=report(results(f"{folder}report.html"), caption="../report/report.rst", category="Report"),
            map=report(results(f"{folder}report-map.html"), caption="../report/map.rst", category="Report"),
            headline=results(f"{folder}headline.txt"),
        log:
            results(f"logs/{folder}report/report.log"),
        localrule: True
        conda:
            environment("core")
        threads: 1
        params:
            config=part("report"),
            kind=chosen.kind,
            others=lambda wildcards, input: options(others=input.others, trainings=input.trainings),
            properties=lambda wildcards, input: options(properties=input.properties),
            replay=lambda wildcards, input: options(
                replay=input.replay, equivalents=input.equivalents, rounds=input.rounds
            ),
        message:
            "Writing {output.page}"
        shell:
            "gapdesign report --config {params.config:q} --kind {params.kind} {params.others} --designs {input.designs:q} --labelled {input.labelled:q}"
            " --figures {input.figures:q} {input.property_figures:q} {params.properties} {params.replay}"
            " --data {input.errors:q} {input.predictions:q} {input.forces:q} {input.tables:q} {input.properties:q} {input.curves:q} {input.replay_tables:q}"
            " --hyperparameters {input.hyperparameters:q} --quality {input.quality:q} --errors {input.errors:q}"
            " --duplicates {input.duplicates:q} --bootstrap {input.bootstrap:q} --failed {input.failed:q} --suspicions {input.suspicions:q} --groups {input.groups:q} --engine {input.engine:q} --candidates {input.candidates:q}"
            " --predictions {input.predictions:q} --maps {input.maps:q} --output-map {output.map:q}"
            " --provenance {input.provenance:q} --estimate {input.estimate:q} --output {output.page:q} --output-headline {output.headline:q} > {log:q} 2>&1"
