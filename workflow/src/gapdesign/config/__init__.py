"""The configuration of a study: its types, its checks, and what each job reads of it."""
