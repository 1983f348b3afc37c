"""A run directory: what training leaves, and what is known of it."""
