"""The model, one noun a file: blocks, local branch, memory, decoder."""
