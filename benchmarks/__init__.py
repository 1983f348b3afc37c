"""Commands that measure, and print ratios of one run."""
