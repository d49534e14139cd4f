"""Code that several methods share: rows of a pool, distances down a design, chance, leverage, conditional variances."""
