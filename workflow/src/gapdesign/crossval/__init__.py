"""Tests of every model on every design: the n x n table (BR section 4, figures 5 and 6)."""
