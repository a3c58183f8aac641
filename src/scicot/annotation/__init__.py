"""Questions x teacher -> rationales: ask, read, filter, and never pay twice for what is on disk.

job.py is the verb, of what work.py has checked. asking.py makes requests of questions, scheduler.py
sends them as fast as pace.py allows (or batches.py all at once, as plans.py has them on disk),
judging.py reads what comes back, and ledger.py writes it and knows what is done, by index.py.
budget.py counts dollars, estimate.py does so beforehand.
"""

from scicot.annotation.estimate import Estimate, estimate_cost
from scicot.annotation.generation import GenerateSummary
from scicot.annotation.job import generate_rationales

__all__ = ["Estimate", "GenerateSummary", "estimate_cost", "generate_rationales"]
