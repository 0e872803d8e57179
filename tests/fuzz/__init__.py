"""Fuzzing of unauthenticated input: validation responses of CAS, and its logout requests. See `__main__`."""
