"""Code that several samplers share: draws of random numbers, deformed and repeated crystals, dynamics, constraints."""
