"""Generate rationales: send questions to a teacher, read and filter the replies, and never pay
twice for a reply that is on disk.

job.py is the command; setup.py checks its inputs. generation.py runs it: requests.py builds
requests from questions, and scheduler.py sends them at the rate that pace.py allows; with --batch,
batch_jobs.py sends them through a batch API and batch_plans.py stores on disk what was sent.
judging.py evaluates replies, ledger.py writes them, and index.py records which requests are done.
first_replies.py stops a run whose first replies are unusable. budget.py tracks the cost,
estimate.py predicts it.
"""

from scicot.annotation.estimate import Estimate, estimate_cost
from scicot.annotation.first_replies import no_thinking
from scicot.annotation.generation import GenerateSummary
from scicot.annotation.job import generate_rationales

__all__ = ["Estimate", "GenerateSummary", "estimate_cost", "generate_rationales", "no_thinking"]
