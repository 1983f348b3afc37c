"""Speed on processors: LGNNet on TensorFlow against plain PyTorch."""
