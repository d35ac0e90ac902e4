"""Files of other tools become the parts of a spec: one reader for each format, all with the same result; pure."""
