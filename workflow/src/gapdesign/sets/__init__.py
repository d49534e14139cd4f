"""Sets of frames that people have, looked at and chosen from by one line, without a study."""
