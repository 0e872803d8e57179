"""Every way in which Passerelle says no, as one tree.

A `description` is one public sentence: what happened and what to do next. A `detail` is private and goes
to the log. Neither ever holds a ticket, a code, a token or a secret.

    BridgeError                    500  server_error
    ├── ConfigurationError         500  server_error             the start stops and lists every fault
    ├── UpstreamError              502  temporarily_unavailable  CAS did not give a usable answer
    │   ├── UpstreamUnreachable    502                           no connection: refused, no address, TLS
    │   ├── UpstreamTimeout        502                           connected, but not answered in time
    │   ├── UpstreamMisconfigured  502                           a redirect, a web page, a wrong status
    │   │   └── ServiceRejected 502  server_error             CAS does not take our service URL or request
    │   └── UpstreamMalformed      502                           an answer that cannot be trusted as a whole
    ├── TicketMalformed            400  invalid_request          refused at the gate, CAS was not asked
    ├── TicketRejected              403  access_denied            spent or expired: one new login may mend it
    ├── SignInDenied               403  access_denied            CAS knows the user and says no, by policy
    │   └── IdentityIncomplete     403                           CAS did not say what our rules need to know
    ├── AccessDenied                403  access_denied            the application is not open to this user
    ├── ClientCommandError           400  invalid_request          a command about a client that cannot be followed
    ├── LoginNotFound          400  invalid_request          a callback that no login in this browser waits for
    │   └── InvalidFormToken        400                           a form that another page sent, or an old one
    ├── LogoutRequestMalformed     400  invalid_request          not what CAS sends when a session is over
    ├── RateLimitExceeded            429  temporarily_unavailable  wrong secrets, tokens or callbacks, too often
    ├── AuthorizationRejected       303                           told to the client through the browser
    └── OAuthError                 400  invalid_request          a code of the specifications
        ├── InvalidRequest         400
        ├── UnknownClient          400  unauthorized_client      a page, never a redirect
        ├── InvalidClient          401  invalid_client
        ├── UnauthorizedClient     400  unauthorized_client  it may not do this at all
        ├── InvalidScope           400  invalid_scope
        ├── InvalidGrant           400  invalid_grant
        │   ├── IdentityExpired     400                 CAS has to be asked about the user again
        │   └── TokenReused        400                 a spent code or a replaced refresh token came again
        ├── UnsupportedGrantType   400  unsupported_grant_type
        ├── MissingToken           401
        ├── InvalidToken           401  invalid_token
        └── InsufficientScope      403  insufficient_scope
"""

from bridge.errors.protocol import (
    AuthorizationRejected,
    IdentityExpired,
    InsufficientScope,
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidToken,
    MissingToken,
    OAuthError,
    TokenReused,
    UnauthorizedClient,
    UnknownClient,
    UnsupportedGrantType,
)
from bridge.errors.root import (
    BridgeError,
    ClientCommandError,
    ConfigurationError,
)
from bridge.errors.sign_in import (
    AccessDenied,
    IdentityIncomplete,
    InvalidFormToken,
    LoginNotFound,
    LogoutRequestMalformed,
    RateLimitExceeded,
    ServiceRejected,
    SignInDenied,
    TicketMalformed,
    TicketRejected,
    UpstreamError,
    UpstreamMalformed,
    UpstreamMisconfigured,
    UpstreamTimeout,
    UpstreamUnreachable,
)

__all__ = [
    "AccessDenied",
    "AuthorizationRejected",
    "BridgeError",
    "ClientCommandError",
    "ConfigurationError",
    "IdentityExpired",
    "IdentityIncomplete",
    "InsufficientScope",
    "InvalidClient",
    "InvalidFormToken",
    "InvalidGrant",
    "InvalidRequest",
    "InvalidScope",
    "InvalidToken",
    "LoginNotFound",
    "LogoutRequestMalformed",
    "MissingToken",
    "OAuthError",
    "RateLimitExceeded",
    "ServiceRejected",
    "SignInDenied",
    "TicketMalformed",
    "TicketRejected",
    "TokenReused",
    "UnauthorizedClient",
    "UnknownClient",
    "UnsupportedGrantType",
    "UpstreamError",
    "UpstreamMalformed",
    "UpstreamMisconfigured",
    "UpstreamTimeout",
    "UpstreamUnreachable",
]
