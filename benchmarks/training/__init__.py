"""Training at the speed of the hardware."""
