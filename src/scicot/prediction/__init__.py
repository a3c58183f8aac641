"""Both stages chained: questions in, predictions out, in the same order.

    stage 1   rationales = the rationale student's greedy text, or texts drawn from it
    stage 2   p(choice) = mean over rationales of softmax(the answer student's score of the choice)

Students that answer alone do without the first; a rationale student alone writes rationale rows.
Nothing is parsed and nothing is guessed: every choice is scored, and the most likely is the answer.
Where two score exactly alike, or a score is not a number, there is no answer (null).
"""

from scicot.prediction.job import PredictSummary, predict
from scicot.prediction.merging import merge

__all__ = ["PredictSummary", "merge", "predict"]
