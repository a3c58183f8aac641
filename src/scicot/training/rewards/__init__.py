"""Train stage 1 with rewards (train-rationale --reward): students learn to write rationales that
help an answer student."""
