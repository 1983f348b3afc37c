"""Drawn videos of a walkway, with labels, masks and kinds of anomaly."""
