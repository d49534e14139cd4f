"""Code shared by several engines: programs, plane waves, and the formats of results."""
