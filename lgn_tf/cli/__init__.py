"""The command line: the only place with parsers, progress bars and signals."""
