"""T5 students without transformers' modules: fused weights, a preallocated cache, our own loop."""
