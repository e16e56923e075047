# SPDX-License-Identifier: MIT
"""What can be broken, how it is recognised, and what to do about it: the rules of `doctor`."""
