"""Rows of all labels: what the energy, the virial and the forces of a structure are in a model linear in its weights.

:mod:`.functions` are those that energies are sums of, :mod:`.pool` the rows of a whole pool, in shards that are never
all held, and :mod:`.options` their options in the configuration.
"""
