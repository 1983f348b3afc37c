"""Commands that answer a question about the method by training or scoring."""
