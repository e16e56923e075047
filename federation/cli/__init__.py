# SPDX-License-Identifier: MIT
"""The command line: each verb a client of the running peer's control socket, or its start."""
