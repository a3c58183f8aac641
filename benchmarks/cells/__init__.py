"""One set, one seed, one system: a cell of the evidence table (benchmarks/evidence.py)."""
