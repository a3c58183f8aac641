"""The benchmarks behind the README's figures (`make bench`): each compares scicot with a
reference."""
