"""Code that both the bridge and the hub image run: translations, command errors and atomic file writes.

It imports neither `bridge` nor `hub`, and no dependency that only one of them has.
"""
