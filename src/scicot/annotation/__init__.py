"""Questions x teacher -> rationales: ask, read, filter, and never pay twice for what is on disk.

job.py is the command, and setup.py checks what it is given. generation.py runs it: requests.py
makes requests of questions, and scheduler.py sends them as fast as pace.py allows; or batch_jobs.py
sends them all at once, and batch_plans.py keeps on disk what was sent. judging.py reads what comes
back, and ledger.py writes it; index.py knows what is done. first_replies.py stops a run whose
replies are of no use. budget.py counts dollars, estimate.py does so beforehand.
"""

from scicot.annotation.estimate import Estimate, estimate_cost
from scicot.annotation.first_replies import no_thinking
from scicot.annotation.generation import GenerateSummary
from scicot.annotation.job import generate_rationales

__all__ = ["Estimate", "GenerateSummary", "estimate_cost", "generate_rationales", "no_thinking"]
