// An application that signs users in with openid-client.
import * as client from "openid-client";
import { application, home, sessionMiddleware, scope, serve, settings, summary, url } from "./application.mjs";

const provider = await client.discovery(new URL(settings.issuer), settings.client_id, settings.client_secret);
const redirect_uri = `${url}/callback`;

application.use(sessionMiddleware());

application.get("/login", async (request, response) => {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  request.session.expected = { pkceCodeVerifier, expectedState, expectedNonce };
  const address = client.buildAuthorizationUrl(provider, {
    redirect_uri,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
  });
  response.redirect(address.href);
});

application.get("/callback", async (request, response) => {
  const { expected } = request.session;
  const tokens = await client.authorizationCodeGrant(provider, new URL(request.originalUrl, url), {
    ...expected,
    idTokenExpected: true,
  });
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(provider, tokens.access_token, claims.sub);
  await new Promise((done) => request.session.regenerate(done));
  request.session.held = { ...tokens, claims, userinfo };
  response.redirect("/");
});

application.get("/", (request, response) => {
  if (!request.session.held) return response.status(401).json({});
  response.json(summary(request.session.held));
});

application.post("/refresh", async (request, response) => {
  const { held } = request.session;
  const tokens = await client.refreshTokenGrant(provider, held.refresh_token);
  const userinfo = await client.fetchUserInfo(provider, tokens.access_token, held.claims.sub);
  request.session.held = { ...held, ...tokens, userinfo };
  response.json(summary(request.session.held));
});

application.get("/logout", async (request, response) => {
  const { held } = request.session;
  await new Promise((done) => request.session.destroy(done));
  const address = client.buildEndSessionUrl(provider, { id_token_hint: held.id_token, post_logout_redirect_uri: home });
  response.redirect(address.href);
});

serve();
