"""Speed on a GPU: LGNNet on JAX against plain PyTorch."""
