"""What a person wants: `environments/*.yaml` as types."""
