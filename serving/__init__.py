"""Running an exported model: configuration, and a client without TensorFlow."""
