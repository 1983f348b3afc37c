"""An embedded server that speaks TensorFlow Serving's protocols."""
