"""From saved tables to the figures and the pages of a study.

:func:`gapdesign.report.figures.draw` makes the figures of the report as SVG text, :func:`gapdesign.report.page.render`
the page that embeds them, and :func:`gapdesign.report.design_page.render` the page of what is known before any label,
with figures of its own. Tables come from :func:`gapdesign.files.read_csv`, which keeps names as text.
"""
