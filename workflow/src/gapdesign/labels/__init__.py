"""Labels: how they are computed, checked, stored, looked up, exported, and replaced where a calculation failed."""
