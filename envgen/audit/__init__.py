"""Known vulnerabilities of what a lock holds, found without a network."""
