"""A client of served models; it needs no TensorFlow."""
