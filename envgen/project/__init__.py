"""A project on disk: its root, its specs, its lock files, what ships with envgen."""
