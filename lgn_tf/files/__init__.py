"""Everything that touches a disk: whole files, locks, listings, tables."""
