"""Long reliability runs: kills, server faults, a full disk, fuzzing.

    cd tests && python -m torture                      everything, at most 30 minutes on two cores
    cd tests && python -m torture fuzz --short         one part, in seconds
    cd tests && python -m torture replay NAME FILE     one input of one fuzz target again
    cd tests && python -m torture page                 write the figures into docs/reliability.md

Each part returns a `Result`: figures for docs/reliability.json, and the promises that were broken.
"""
