# SPDX-License-Identifier: MIT
"""The node: a pure router from events to machines to effects."""
