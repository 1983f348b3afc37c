"""Evaluation: from scores of test videos to all numbers that are reported."""
