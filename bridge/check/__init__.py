"""Checks of an installation: settings, database, CAS, public address, applications and past sign-ins.

This package owns the probes of `passerelle check` and the evaluation of every result: what was observed, what it means
and how to fix it. It also owns the registration request for the CAS administrator. Only `probe` opens connections, and
`run` decides what is probed; the other modules are pure or read files.

It changes nothing: it reads the store, sends CAS made-up tickets only, and sends applications no data. It never sends
data to a server with an untrusted certificate. It never prints and imports neither the web nor the OAuth package;
`bridge/cli/check.py` prints the report.
"""
