# SPDX-License-Identifier: MIT
"""Documents, their revisions, and which revision succeeds which."""
