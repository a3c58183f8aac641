"""Students as prediction needs them: load, generate, score. Training builds on this package."""
