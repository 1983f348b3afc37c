"""The frame store: every video decoded and resized once."""
