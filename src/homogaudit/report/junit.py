"""Gates as a JUnit file, which the test views of CI servers read."""

import re
from xml.etree import ElementTree

from homogaudit.report.records import Report
from homogaudit.report.text import plain

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""


def to_junit(report: Report) -> str:
    """Return one test case a gate: a failure where it is failed or not shown, an error where it cannot be judged."""
    states = [gate.state for gate in report.gates]
    errors = states.count("cannot be judged")
    counts = {
        "tests": str(len(states)),
        "failures": str(len(states) - errors - states.count("passed")),
        "errors": str(errors),
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "homogaudit", "skipped": "0", **counts})
    for gate in report.gates:
        case = {"classname": _text(f"homogaudit.{report.run.model}"), "name": _text(gate.gate), "time": "0"}
        element = ElementTree.SubElement(suite, "testcase", case)
        if gate.state != "passed":
            kind = "error" if gate.state == "cannot be judged" else "failure"
            failure = ElementTree.SubElement(element, kind, {"type": gate.state, "message": _text(gate.sentence)})
            failure.text = _text(gate.hint or gate.sentence)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _text(text: str) -> str:
    return _NOT_XML.sub("", plain(text))
