"""A lock in the formats of other tools: pure functions of a lock and of what `ops` found out about its packages."""
