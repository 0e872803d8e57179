"""Fuzzing of what strangers can send: validation answers of CAS, and its logout requests. See `__main__`."""
