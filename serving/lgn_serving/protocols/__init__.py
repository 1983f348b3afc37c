"""TensorFlow Serving's two protocols: REST and gRPC."""
