"""The live terminal. It shows events and the run file; the audit itself runs in the engine's process."""
