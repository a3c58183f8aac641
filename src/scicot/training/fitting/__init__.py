"""One student through the Trainer: its loss, its batches, what happens between two steps."""
