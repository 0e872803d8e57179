// An application that signs users in with passport-openidconnect, which supports neither discovery nor PKCE.
import passport from "passport";
import refresh from "passport-oauth2-refresh";
import OpenIDConnectStrategy from "passport-openidconnect";
import { application, home, sessionMiddleware, scope, serve, settings, summary, url } from "./application.mjs";

const { issuer } = settings;
const strategy = new OpenIDConnectStrategy(
  {
    issuer,
    authorizationURL: `${issuer}/authorize`,
    tokenURL: `${issuer}/token`,
    userInfoURL: `${issuer}/userinfo`,
    clientID: settings.client_id,
    clientSecret: settings.client_secret,
    callbackURL: `${url}/callback`,
    scope: scope.replace("openid ", ""),
    nonce: true,
  },
  // The strategy calls the userinfo endpoint only if this function has nine parameters.
  (iss, userinfo, fromToken, context, id_token, access_token, refresh_token, params, verified) =>
    verified(null, {
      claims: { iss, sub: fromToken.id },
      userinfo: userinfo._json,
      id_token,
      access_token,
      refresh_token,
    }),
);
passport.use(strategy);
refresh.use(strategy);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

application.use(sessionMiddleware());
application.use(passport.session());

application.get("/login", passport.authenticate("openidconnect"));
application.get("/callback", passport.authenticate("openidconnect", { successRedirect: "/", failWithError: true }));

application.get("/", (request, response) => {
  if (!request.user) return response.status(401).json({});
  response.json(summary(request.user));
});

application.post("/refresh", (request, response, next) => {
  const { user } = request;
  refresh.requestNewAccessToken("openidconnect", user.refresh_token, (failure, access_token, refresh_token) => {
    if (failure) return next(Object.assign(new Error("refresh failed"), JSON.parse(failure.data)));
    request.session.passport.user = { ...user, access_token, refresh_token };
    response.json(summary(request.session.passport.user));
  });
});

application.get("/logout", (request, response, next) => {
  const { id_token } = request.user;
  request.logout((failure) => {
    if (failure) return next(failure);
    const address = new URL(`${issuer}/logout`);
    address.search = new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: home });
    response.redirect(address.href);
  });
});

serve();
