"""One file for each data set that ships; what lies here is registered."""
