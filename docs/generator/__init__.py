# SPDX-License-Identifier: MIT
"""What makes parts of the pages from the code: one module a page."""
