"""Benchmarks of prediction, for `make bench` and `python -m benchmarks.predicting`."""
