"""What a study is given: structures in files of any kind, read by one reader that refuses what it cannot vouch for."""
