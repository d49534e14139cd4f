"""Labels: computing, checking, storing, finding and exporting them, and replacing those whose calculation failed."""
