"""Prediction measured; `python -m benchmarks.predicting ends` and `exact` beside `make bench`."""
