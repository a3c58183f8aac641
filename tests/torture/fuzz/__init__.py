"""Structured fuzzing of every reader, and of everything that comes from a server.

mutation.py mutates the inputs of seeds.py, and inserts the values of values.py. The targets are in
readers.py, settings_files.py and servers.py. running.py executes the targets and collects their
faults. part.py distributes the targets over processes.
"""
