"""Memory, and how it grows."""
