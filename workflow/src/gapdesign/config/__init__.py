"""The configuration of a study: its types, its checks, and the part of it that each job reads."""
