"""Checks for a machine with a GPU, run by device.sh: a module each, which leaves a JSON file."""
