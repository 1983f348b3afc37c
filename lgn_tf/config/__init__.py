"""The configuration of a run, and one preset for each data set."""
