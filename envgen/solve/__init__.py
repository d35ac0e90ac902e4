"""Records and requirements in, a solution out; no input or output."""
