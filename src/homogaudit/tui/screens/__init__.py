"""The screens of the live terminal, one module each."""
