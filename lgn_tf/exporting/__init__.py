"""A run as a SavedModel that TensorFlow Serving answers with."""
