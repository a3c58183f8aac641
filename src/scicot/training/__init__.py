"""Training only: building students and their examples, the Trainer, and the model card."""
