"""Load students, generate text and score choices with them. Training builds on this package."""
