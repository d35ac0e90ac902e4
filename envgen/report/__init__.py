"""One page about an environment: what is in it, how large it is, why, and what changed."""
