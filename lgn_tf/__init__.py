"""LGN-Net for video anomaly detection, in Keras 3 on TensorFlow."""

__version__ = "0.1.0"
