rule plan:
    log:
        results("logs/plan.log"),
    localrule: True
    conda:
        "../../envs/workflow.yaml"
    threads: 1
    params:
        config=part("plan"),
        results=workflow.modifier.modify_path(results("")),
        jobs=workflow.resource_settings.nodes or workflow.resource_settings.cores or 1,
    message:
        "Planning, without running anything"
    shell:
        "gapdesign plan --config {params.config:q} --results {params.results:q} --jobs {params.jobs} | tee {log}"
