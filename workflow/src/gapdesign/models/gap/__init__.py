"""Gaussian approximation potentials: likelihood of hyperparameters, fit by gap_fit, predictions by quippy."""
