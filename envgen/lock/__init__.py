"""Solutions as files, and whether they are still true."""
