"""Load pretrained models, encode their prompts, and run their forward passes."""
