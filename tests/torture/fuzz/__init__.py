"""Structured fuzzing of every reader, and of everything that comes from a server.

mutation.py makes inputs of those in seeds.py, with the values of values.py; readers.py,
settings_files.py and servers.py are the targets; running.py executes them and collects the faults,
and part.py shares them among processes.
"""
