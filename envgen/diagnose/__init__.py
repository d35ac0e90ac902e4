"""Judge a machine against a lock: findings, and what to do about each."""
