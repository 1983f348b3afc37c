"""REST and gRPC, as TensorFlow Serving speaks them."""
