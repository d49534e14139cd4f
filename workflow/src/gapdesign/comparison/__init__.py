"""Pools compared with each other, by whole structures and by the environments of atoms, before any label."""
