"""A spec becomes the text of locks: sources, one solve for each platform, both files rendered."""
