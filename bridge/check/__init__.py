"""What an installation looks like from outside: CAS as this machine sees it, and our own public address likewise.

This room owns the questions of `passerelle check` and the judgement of every answer: what was seen, what it means, what
to do, and what to write to those who run CAS. `probe` alone opens connections, `examination` alone decides what is
asked and when; all else is pure. The room reads the store and changes nothing in it; to CAS it sends made-up tickets
only, to applications nothing, and to a server whose certificate is not trusted nothing at all. It never prints, and
knows neither the web room nor OAuth: `bridge/cli/check.py` shows what it found.
"""
