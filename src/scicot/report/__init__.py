"""Write an evaluation as a single HTML file that loads nothing from the network."""

from scicot.report.page import check_report, write_report

__all__ = ["check_report", "write_report"]
