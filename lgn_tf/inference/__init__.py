"""Whole videos scored with a model."""
