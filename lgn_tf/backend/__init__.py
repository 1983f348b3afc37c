"""The base of the layers: devices, convolutions, recomputation."""
