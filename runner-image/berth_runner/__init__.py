"""The runner: executes one run at a time in a fresh process and tells honestly how it ended."""
