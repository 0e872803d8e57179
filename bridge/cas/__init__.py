"""The CAS client: URLs, ticket validation, response parsing and single-logout messages.

The package turns a service ticket into an `Identity`, or raises an error of `bridge.errors`. Only `client` opens
connections; every other module is pure. The package knows nothing of Flask, the store or OAuth. The store, not this
package, ensures that a ticket is used once.

Specification: https://apereo.github.io/cas/development/protocol/CAS-Protocol-Specification.html
"""
