"""Inference engines that generate texts and score choices, and the code that they share."""
