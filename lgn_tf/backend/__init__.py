"""What layers stand on: devices, convolutions, recomputation."""
