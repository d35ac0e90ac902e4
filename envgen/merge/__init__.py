"""What two branches did to specs and locks, as the input of a new solve."""
