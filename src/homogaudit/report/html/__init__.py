"""The report as one HTML file that needs no network: sections and plots drawn here, the questions by its own script."""

from homogaudit.report.html.page import page, run_page, to_html

__all__ = ["page", "run_page", "to_html"]
