"""All errors of the bridge, as one tree.

`description` is a public sentence: what happened and what to do. `detail` is private and goes to the log. Neither ever
holds a ticket, code, token or secret.

    BridgeError                    500  server_error
    ├── ConfigurationError         500  server_error             invalid settings; lists every fault
    ├── ClientCommandError         400  invalid_request          a client command that cannot be carried out
    ├── UpstreamError              502  temporarily_unavailable  no usable response from CAS
    │   ├── UpstreamUnreachable    502                           connection refused, DNS, TLS
    │   ├── UpstreamTimeout        502                           no complete response in time
    │   ├── UpstreamMisconfigured  502                           redirect, web page or unexpected status
    │   │   └── ServiceRejected    502  server_error             CAS rejects the service URL
    │   └── UpstreamMalformed      502                           invalid or ambiguous response
    ├── TicketMalformed            400  invalid_request          rejected without a request to CAS
    ├── TicketRejected             403  access_denied            used or expired; a new login may succeed
    ├── SignInDenied               403  access_denied            CAS denies access to this user
    │   └── IdentityIncomplete     403                           a required attribute is missing
    ├── AccessDenied               403  access_denied            the user may not use this application
    ├── LoginNotFound              400  invalid_request          callback without a pending login
    │   └── InvalidFormToken       400                           form without a valid CSRF token
    ├── LogoutRequestMalformed     400  invalid_request          not a logout request of CAS
    ├── RateLimitExceeded          429  temporarily_unavailable  too many failed attempts
    ├── AuthorizationRejected      303                           redirect to the client with an error
    └── OAuthError                 400  invalid_request          errors of the specifications
        ├── InvalidRequest         400
        ├── UnknownClient          400  unauthorized_client      shown as a page, never redirected
        ├── InvalidClient          401  invalid_client
        ├── UnauthorizedClient     400  unauthorized_client
        ├── InvalidScope           400  invalid_scope
        ├── InvalidGrant           400  invalid_grant
        │   ├── IdentityExpired    400                           older than identity_max_age_seconds
        │   └── TokenReused        400                           a code or refresh token was replayed
        ├── UnsupportedGrantType   400  unsupported_grant_type
        ├── MissingToken           401
        ├── InvalidToken           401  invalid_token
        └── InsufficientScope      403  insufficient_scope
"""

from bridge.errors.oauth import (
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
