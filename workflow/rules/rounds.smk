# Designs that continue labelled ones: what labels say, the next choice by that, and what it was worth.
if LATER:

    rule rounds_learn:
        input:
            labelled=of_round_before("labels/{design}.extxyz"),
            isolated=results("labels/isolated.extxyz"),
            hyperparameters=of_round_before("models/{design}/hyperparameters.json"),
            failed=of_rounds_before("labels/failed/{design}.csv"),
            functions=functions_of,
            scaling=scaling_of,
            costs=costs_before,
            timed=timed_frames,
        output:
            results("rounds/{design}/learnt.json"),
        log:
            results("logs/rounds/learn/{design}.log"),
        benchmark:
            results("benchmarks/rounds/learn/{design}.tsv")
        conda:
            environment(DESCRIPTOR_ENVIRONMENT)
        threads: cores("round-learn")
        resources:
            **asks("round-learn"),
        params:
            config=part("round-learn", descriptor_files, timed_frames),
            others=lambda wildcards, input: options(functions=input.functions, scaling=input.scaling, costs=input.costs),
        message:
            "Learning from labels what {wildcards.design} is to be chosen by"
        shell:
            "gapdesign round-learn --config {params.config:q} --design {wildcards.design:q} --labelled {input.labelled:q}"
            " --isolated {input.isolated:q} --hyperparameters {input.hyperparameters:q} --failed {input.failed:q}"
            " {params.others} --output {output:q} > {log:q} 2>&1"

    rule rounds_choose:
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
            learnt=results("rounds/{design}/learnt.json"),
            labelled=of_round_before("labels/{design}.extxyz"),
            known=of_round_before("designs/{design}.npy", "designs/reserve/{design}.npy"),
            judged=judged_before,
        output:
            design=results("designs/{design}.extxyz"),
            features=results("designs/{design}.npy"),
            reserve=results("designs/reserve/{design}.extxyz"),
            reserve_features=results("designs/reserve/{design}.npy"),
            expected=results("rounds/{design}/expected.json"),
        log:
            results("logs/rounds/choose/{design}.log"),
        benchmark:
            results("benchmarks/rounds/choose/{design}.tsv")
        wildcard_constraints:
            design="|".join(map(re.escape, LATER)),
        conda:
            environment(DESCRIPTOR_ENVIRONMENT)
        threads: cores("round-choose")
        resources:
            **asks("round-choose"),
        params:
            config=part("round-choose", existing_of, descriptor_files),
            others=files_of_selection,
            judged=lambda wildcards, input: options(judged=input.judged),
        message:
            "Choosing {wildcards.design}"
        shell:
            "gapdesign round-choose --config {params.config:q} --design {wildcards.design:q} --candidates {input.candidates:q}"
            " --features {input.features:q} --sums {input.sums:q} {params.others} --compressed {input.compressed:q}"
            " --codes {input.codes:q} --environments {input.environments:q} --learnt {input.learnt:q} --labelled {input.labelled:q}"
            " --earlier-features {input.known:q} {params.judged}"
            " --memory {resources.allowance} --threads {threads} --output {output.design:q}"
            " --output-features {output.features:q} --output-reserve {output.reserve:q}"
            " --output-reserve-features {output.reserve_features:q} --output-expected {output.expected:q} > {log:q} 2>&1"

    rule rounds_judge:
        input:
            labelled=results("labels/{design}.extxyz"),
            before=of_round_before("labels/{design}.extxyz"),
            expected=results("rounds/{design}/expected.json"),
            potentials=models_before,
        output:
            results("rounds/{design}/judged.csv"),
        log:
            results("logs/rounds/judge/{design}.log"),
        benchmark:
            results("benchmarks/rounds/judge/{design}.tsv")
        conda:
            environment(FOLDERS[""].member.environment)
        threads: cores("round-judge")
        resources:
            **asks("round-judge"),
        params:
            kind=FOLDERS[""].kind,
        message:
            "Testing earlier models on what {wildcards.design} adds"
        shell:
            "gapdesign round-judge --design {wildcards.design:q} --kind {params.kind} --labelled {input.labelled:q}"
            " --before {input.before:q} --expected {input.expected:q} --potentials {input.potentials:q}"
            " --output {output:q} > {log:q} 2>&1"

    rule rounds:
        input:
            expand(results("rounds/{design}/judged.csv"), design=LATER),
        output:
            report(results("rounds.csv"), caption="../report/rounds.rst", category="Models"),
        log:
            results("logs/rounds/rounds.log"),
        localrule: True
        conda:
            environment("core")
        threads: 1
        message:
            "Collecting what rounds were worth"
        shell:
            "gapdesign concatenate --tables {input:q} --output {output:q} > {log:q} 2>&1"
