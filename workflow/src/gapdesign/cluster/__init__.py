"""Schedulers of clusters: the jobs that a run owns there."""
