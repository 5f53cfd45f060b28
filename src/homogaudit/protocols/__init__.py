"""Published experiments as protocols: what to run, which figures to read, and what was published beside them.

A protocol is a TOML file in `published`; this package reads such files, runs the commands that they name, and lays out
what came of it. It computes no figure: every one is read from what a command prints.
"""

from homogaudit.protocols.protocol import Protocol, list_protocols, read_protocol
from homogaudit.protocols.records import ProtocolResult, ProtocolResults
from homogaudit.protocols.running import Request, Runner

__all__ = ["Protocol", "ProtocolResult", "ProtocolResults", "Request", "Runner", "list_protocols", "read_protocol"]
