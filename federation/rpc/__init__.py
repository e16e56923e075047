# SPDX-License-Identifier: MIT
"""How we speak to Emacs and to the command line: JSON-RPC 2.0."""
