"""`environments/*.yaml` and `recipes/*/debian.yaml` as types."""
