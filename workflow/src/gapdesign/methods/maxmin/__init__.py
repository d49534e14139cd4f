"""Max-min: each next structure is the one farthest from all chosen before, exactly and in bounded memory (BR)."""
