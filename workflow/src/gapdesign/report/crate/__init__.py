"""A study as an RO-Crate: what it made, with checksums, versions and a licence, described in JSON-LD for archives.

RO-Crate 1.1 (doi:10.5281/zenodo.4541002) with the profile Process Run Crate 0.5: each stage is an action, which has
inputs, results and a program. :mod:`.stages` says what stages leave, :mod:`.run` finds what is there of it,
:mod:`.metadata` describes it, :mod:`.archive` packs it, and :mod:`.credits` checks what the user says of it.
"""
