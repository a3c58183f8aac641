"""Inference engines for text generation and choice scoring, and the code they share."""
