# SPDX-License-Identifier: MIT
"""Who somebody is: keys, peer ids, safety words, and a key at rest."""
