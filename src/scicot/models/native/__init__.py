"""Forward passes over plain tensors, with the weights of transformers' models."""
