"""train-rationale --reward: learn to write the rationales that help an answer student."""
