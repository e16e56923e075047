# SPDX-License-Identifier: MIT
"""The documents, and the script that makes parts of them from the code."""
