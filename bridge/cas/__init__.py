"""The CAS protocol and nothing else.

This room owns the URLs that lead to CAS, the gate for tickets, the one network call that validates a
ticket, the strict reading of the answer in any of CAS's protocols, and the rules that turn CAS attributes into an
`Identity`. Everything is pure but `client`, which alone opens a connection. The room never touches HTTP requests from
browsers, sessions, storage or OAuth, and of the settings only those about CAS: values come in, an `Identity` or an
error of `bridge.errors` goes out. It does not enforce that a ticket is used once; the store does, before the call.
"""
