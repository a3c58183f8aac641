"""Write the evaluation as one self-contained HTML file that needs no network."""

from scicot.report.page import check_report, write_report

__all__ = ["check_report", "write_report"]
