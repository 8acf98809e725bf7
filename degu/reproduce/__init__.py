"""Whether a study is what it claims to be, and whether running it again gives the same numbers."""
