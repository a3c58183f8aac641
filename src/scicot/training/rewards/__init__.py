"""Rewarded training (train-rationale --reward): learn to write rationales that help an answer
student."""
