"""LGN-Net: branches, memory and decoder, as Keras layers."""
