"""Code that several kinds of models share: linear ones their least squares and likelihood, others their training."""
