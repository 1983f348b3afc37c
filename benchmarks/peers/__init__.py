"""The same network in plain PyTorch, which speed is compared with."""
