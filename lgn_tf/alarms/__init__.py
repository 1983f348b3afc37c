"""Alarms made of scores: rules, thresholds, and found events."""
