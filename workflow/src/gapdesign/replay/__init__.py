"""Designs judged on labels that are there already: every training set is replayed and its potential tested.

A sparse GAP is linear in its coefficients. With one basis for a whole study, chosen from structures alone, the rows of
every label are computed once and each potential is a least-squares problem of seconds, the one that gap_fit solves.
"""
