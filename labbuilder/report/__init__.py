"""The report of drills: for a terminal, as JSON, as JUnit XML, as one HTML page; in English and Spanish."""

from labbuilder.report.document import as_json, load
from labbuilder.report.files import check, write
from labbuilder.report.junit import junit
from labbuilder.report.page import html
from labbuilder.report.terminal import table

__all__ = ["as_json", "check", "html", "junit", "load", "table", "write"]
