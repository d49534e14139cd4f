"""Designs judged on existing labels: every training set is replayed and its potential tested.

A sparse GAP is linear in its coefficients. With one basis for a whole study, chosen from structures alone, the rows of
every label are computed once; each potential is then the least-squares problem that gap_fit solves, and takes seconds.
"""
