// An application that runs each step of the flow with a function of oauth4webapi.
import * as oauth from "oauth4webapi";
import { application, home, sessionMiddleware, scope, serve, settings, summary, url } from "./application.mjs";

const issuer = new URL(settings.issuer);
const provider = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
const client = { client_id: settings.client_id };
const authentication = oauth.ClientSecretBasic(settings.client_secret);
const redirect_uri = `${url}/callback`;

const fetchUser = async (access_token, subject) =>
  oauth.processUserInfoResponse(
    provider,
    client,
    subject,
    await oauth.userInfoRequest(provider, client, access_token),
  );

application.use(sessionMiddleware());

application.get("/login", async (request, response) => {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  request.session.expected = { verifier, state, nonce };
  const address = new URL(provider.authorization_endpoint);
  address.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri,
    response_type: "code",
    scope,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
  });
  response.redirect(address.href);
});

application.get("/callback", async (request, response) => {
  const { verifier, state, nonce } = request.session.expected;
  const here = new URL(request.originalUrl, url);
  const parameters = oauth.validateAuthResponse(provider, client, here, state);
  const reply = await oauth.authorizationCodeGrantRequest(
    provider,
    client,
    authentication,
    parameters,
    redirect_uri,
    verifier,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(provider, client, reply, {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  // Check the signature, although the token came directly from the provider.
  await oauth.validateApplicationLevelSignature(provider, reply);
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const userinfo = await fetchUser(tokens.access_token, claims.sub);
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
  const reply = await oauth.refreshTokenGrantRequest(provider, client, authentication, held.refresh_token);
  const tokens = await oauth.processRefreshTokenResponse(provider, client, reply);
  const userinfo = await fetchUser(tokens.access_token, held.claims.sub);
  request.session.held = { ...held, ...tokens, userinfo };
  response.json(summary(request.session.held));
});

application.get("/logout", async (request, response) => {
  const { held } = request.session;
  await new Promise((done) => request.session.destroy(done));
  const address = new URL(provider.end_session_endpoint);
  address.search = new URLSearchParams({ id_token_hint: held.id_token, post_logout_redirect_uri: home });
  response.redirect(address.href);
});

serve();
