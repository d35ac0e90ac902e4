"""To check: do the packages of a lock fit together, judged by their files."""
