"""Which models are served, loaded, batched and given up."""
