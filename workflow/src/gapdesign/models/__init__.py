"""Models that are fitted to labelled designs."""
