"""Commands that work with a trained study: what they are called, and what they take."""
