"""The only door to the world: files, network, processes, host facts."""
