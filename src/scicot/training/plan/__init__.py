"""Which examples a student meets at which step, and which of them share a batch."""
