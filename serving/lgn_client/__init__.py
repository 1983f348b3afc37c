"""Scores videos on a model server; needs no TensorFlow."""
