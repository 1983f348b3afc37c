"""Speed of reading: clips a second."""
