"""What is used beside the product: programs for its makers."""
