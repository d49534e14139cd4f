rule bundle:
    input:
        bundle_members,
    output:
        results("bundles/{series}/{kind}/{begin}-{end}.bundle"),
    log:
        results("logs/bundles/{series}/{kind}/{begin}-{end}.log"),
    localrule: True
    conda:
        environment("core")
    threads: 1
    message:
        "Listing files for the jobs that read them"
    shell:
        "gapdesign bundle --files {input:q} --output {output:q} > {log:q} 2>&1"
