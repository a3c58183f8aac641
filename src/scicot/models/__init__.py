"""What a network is: pretrained models, their weights and formats, and our own forward passes."""
