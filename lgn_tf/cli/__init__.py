"""The command line: the only place with parsers and progress bars."""
