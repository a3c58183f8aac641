"""Train one student with transformers' Trainer: loss, batches, logging and checkpoints."""
