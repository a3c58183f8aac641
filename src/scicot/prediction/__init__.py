"""Answer questions with trained students, in one or two stages.

    stage 1   rationales = the rationale student's greedy text, or sampled texts
    stage 2   p(choice) = mean over rationales of softmax(the answer student's score of the choice)

With --weigh confidence, the mean is weighted by confidence.

A student that answers without rationales needs no stage 1. With a rationale student alone, the
output is rationale rows. Choices are scored, not parsed from generated text, and the most likely
choice is the answer. If several choices tie for the highest score, or a score is NaN, there is no
answer (null).
"""

from scicot.prediction.job import predict
from scicot.prediction.merging import merge
from scicot.prediction.window_job import PredictSummary

__all__ = ["PredictSummary", "merge", "predict"]
