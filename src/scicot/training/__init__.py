"""Train students: read and tokenise rows, run the Trainer, and write run directories."""
