"""`make compare`: what captured traffic says of two models that serve side by side."""
