# SPDX-License-Identifier: MIT
"""How we speak to peers: strict JSON, canonical bytes, signed messages, topics."""
