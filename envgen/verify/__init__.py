"""Does a thing hold what the committed lock says: prefixes, images, bundles, channels."""
