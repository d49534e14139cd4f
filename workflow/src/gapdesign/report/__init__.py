"""Figures and pages of a study, made from saved tables.

:func:`gapdesign.report.figures.draw` draws the figures of the report, :func:`gapdesign.report.study_page.render` makes
the page that embeds them, and :func:`gapdesign.report.design_page.render` the page of everything known before any
label, with its own figures. Tables come from :func:`gapdesign.files.read_csv`, which keeps names as
text.
"""
