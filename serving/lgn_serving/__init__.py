"""A model server with TensorFlow Serving's REST and gRPC protocols."""
