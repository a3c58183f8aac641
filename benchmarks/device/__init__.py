"""Checks on a machine with a GPU, run by device.sh: each module writes a JSON file."""
