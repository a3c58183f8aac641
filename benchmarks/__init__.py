"""What the README's figures come from: `make bench`, ratios against a reference in the same run."""
