"""Generate rationales: send questions to a teacher, and read and filter the replies. A request
whose reply is already on disk is not sent again, so no reply is paid for twice.

job.py implements the command generate-rationales, setup.py checks its inputs, and generation.py
runs it. requests.py builds requests from questions, and scheduler.py sends the requests at the rate
that pace.py allows. With --batch, batch_jobs.py sends the requests through a batch API instead, and
batch_plans.py stores each batch on disk before it is sent. judging.py evaluates replies, ledger.py
writes their rows, and index.py records which requests are done. first_replies.py stops a run whose
first replies are unusable. budget.py tracks the cost, and estimate.py predicts the cost.
"""

from scicot.annotation.estimate import Estimate, estimate_cost
from scicot.annotation.first_replies import no_thinking
from scicot.annotation.generation import GenerateSummary
from scicot.annotation.job import generate_rationales

__all__ = ["Estimate", "GenerateSummary", "estimate_cost", "generate_rationales", "no_thinking"]
