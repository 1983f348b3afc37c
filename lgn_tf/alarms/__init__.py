"""Alarms: when scores become one, at which threshold, and what it is worth."""
