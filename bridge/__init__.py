"""Passerelle's bridge: users sign in at CAS, and applications use OAuth2 / OpenID Connect.

The routes, below the path of the issuer:

    /authorize                       web.login          authorization endpoint
    /cas/callback                    web.login          service URL: CAS returns the browser with a ticket
    /consent                         web.consent        the user's decision
    /token /userinfo                 web.api            for clients, as are /introspect and /revoke
    /.well-known/…                   web.api            provider metadata and public keys
    /logout /logout/done             web.logout         RP-initiated logout
    /cas/logout                      web.single_logout  CAS ends a session
    / /account/…                     web.account        the user's page
    /healthz /readyz /metrics        web.operations     for monitoring
    /login /userdata                 web.login, web.api endpoints of the predecessor

One sign-in, in order:

    1. /authorize      oauth.authorization_checks: client, redirect URI, PKCE, scope
    2.                 web.cookies: a session that satisfies the request continues at step 7
    3.                 store.pending_logins: save the pending login; redirect to the login page of CAS
    4. /cas/callback   web.callback_context: consume the pending login with the ticket, once
    5.                 cas.client: validate the ticket; cas.attributes: build the Identity
    6.                 store.sessions: begin a session, or renew it for the same user
    7.                 oauth.authorization_endpoint: access, consent; redirect to the client with a code
    8. /token          oauth.grants: redeem the code, once; oauth.tokens: access token and ID token
    9. /userinfo       oauth.claims: claims by scope
"""
