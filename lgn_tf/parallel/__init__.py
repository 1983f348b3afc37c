"""Scoring spread over processes or over many machines."""
