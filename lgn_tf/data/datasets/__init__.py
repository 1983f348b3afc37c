"""What a data set holds: videos, labels, masks and published numbers."""
