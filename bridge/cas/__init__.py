"""The CAS protocol and nothing else.

This room owns the URLs that lead to CAS, the gate for tickets, the one network call that validates a
ticket, the strict reading of the answer, and the rules that turn CAS attributes into an `Identity`.
`protocol`, `reply` and `attributes` are pure; only `client` opens a connection. The room never touches
HTTP requests from browsers, sessions, storage, settings or OAuth: values come in, an `Identity` or an error
of `bridge.errors` goes out. It does not enforce that a ticket is used once; the store does, before the call.
"""
