# SPDX-License-Identifier: MIT
"""Merging two versions of a document that were made from a third.

``document`` is the door; the other modules are its parts: ``tree`` reads JSON
with its bytes, ``value`` merges JSON values, ``pairing`` finds the same entry
in two versions, ``sequence`` merges lists of entries with moves, ``strings``
merges strings, ``canvas`` knows the two canvas formats.  Everything here is a
pure function of its arguments: the same three versions give the same bytes on
every peer.
"""
