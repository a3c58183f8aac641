"""The benchmarks behind the README's figures (`make bench`): ratios to a reference in one run."""
