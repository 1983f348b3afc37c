"""The formulas behind every score, without loops over videos."""
