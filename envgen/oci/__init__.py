"""What is OCI and not envgen's image: layouts, archives, registries, artifacts that refer to others."""
