rule plan:
    log:
        results("logs/plan.log"),
    localrule: True
    conda:
        environment("workflow")
    threads: 1
    params:
        config=part("plan"),
        results=prefixed(results("")),
        jobs=jobs_at_once() or cores_here() or 1,
    message:
        "Planning, without running anything"
    shell:
        "gapdesign plan --config {params.config:q} --results {params.results:q} --jobs {params.jobs} | tee {log:q}"
