"""One video: decoded, resized, scaled, and how fast things move in it."""
