# Entry for `snakemake` typed in the root; the workflow itself is in workflow/.
include: "workflow/Snakefile"


rule all:
    default_target: True
    input:
        rules.report.output,
