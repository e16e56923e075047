# SPDX-License-Identifier: MIT
"""The only rooms with input and output; siblings never import one another."""
