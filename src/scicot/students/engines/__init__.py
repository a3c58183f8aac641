"""Engines: what runs a student's model. One file each, behind the seam of `students.base`."""
