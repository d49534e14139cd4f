"""What several engines share: programs, plane waves, and the formats in which programs leave their results."""
