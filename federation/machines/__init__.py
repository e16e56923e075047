# SPDX-License-Identifier: MIT
"""The state machines: each is one table, and knows nothing of the others."""
