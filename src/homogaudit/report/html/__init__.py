"""The report as one HTML file that needs no network: sections and plots drawn here, the questions by its own script."""

from homogaudit.report.html.page import page, report_page, run_page

__all__ = ["page", "report_page", "run_page"]
