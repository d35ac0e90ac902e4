"""Claims against bytes: is what is there what was said?"""
