"""What several descriptors use."""
