"""The demo: the whole journey on one machine, without Docker and without an institution's CAS.

Owns a real CAS server with invented users (`cas/`, also used by compose) and `make demo` (`run.py`), which starts
every part as a plain process. It never holds anything that production needs, and refuses to be mistaken for it.
"""
