"""Plan which examples are trained on at each step, and which of them share a batch."""
