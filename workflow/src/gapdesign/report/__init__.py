"""From saved tables to the figures and the pages of a study.

:func:`gapdesign.report.figures.draw` draws the figures of the report, :func:`gapdesign.report.study_page.render` makes
the page that embeds them and carries them along, and :func:`gapdesign.report.design_page.render` the page of what is
known before any label, with figures of its own. Tables come from :func:`gapdesign.files.read_csv`, which keeps names as
text.
"""
