"""The demo: the whole system on one machine, without Docker and without an institution's CAS.

It contains a real CAS server with fictitious users (`cas/`, also used by compose) and `make demo` (`run.py`), which
starts every part as a process. Production needs none of it.
"""
