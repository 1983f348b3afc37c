"""Checkpoints of the authors' PyTorch code, converted with proof."""
