// One sign-in through openid-client, told on standard input and output.
// Reads a line of JSON (issuer, client_id, …), prints the address for the browser, reads the address that the browser
// came back with, and prints what every later step brought. Each step is openid-client's own check of the answer.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const reads = async () => (await lines.next()).value;
const tells = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const told = JSON.parse(await reads());
const authentication = told.method === "post" ? client.ClientSecretPost : client.ClientSecretBasic;
const configuration = await client.discovery(
  new URL(told.issuer),
  told.client_id,
  { id_token_signed_response_alg: "RS256" },
  authentication(told.client_secret),
);
// Signatures are checked although the token came straight from the provider.
client.enableNonRepudiationChecks(configuration);

const verifier = client.randomPKCECodeVerifier();
const expected = { pkceCodeVerifier: verifier, expectedState: client.randomState(), idTokenExpected: true };
if (told.nonce !== false) expected.expectedNonce = client.randomNonce();
if (told.max_age !== undefined) expected.maxAge = told.max_age;
const address = client.buildAuthorizationUrl(configuration, {
  redirect_uri: told.redirect_uri,
  scope: "openid profile email offline_access",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state: expected.expectedState,
  ...(expected.expectedNonce ? { nonce: expected.expectedNonce } : {}),
  ...(told.max_age === undefined ? {} : { max_age: String(told.max_age) }),
  ...(told.parameters ?? {}),
});
tells({ address: address.href });

const tokens = await client.authorizationCodeGrant(configuration, new URL(await reads()), expected);
const claims = tokens.claims();
const userinfo = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub);
const fresh = await client.refreshTokenGrant(configuration, tokens.refresh_token);
const before = await client.tokenIntrospection(configuration, fresh.access_token);
await client.tokenRevocation(configuration, fresh.refresh_token);
const after = await client.tokenIntrospection(configuration, fresh.access_token);
const end = client.buildEndSessionUrl(configuration, {
  id_token_hint: fresh.id_token ?? tokens.id_token,
  post_logout_redirect_uri: told.post_logout_redirect_uri,
  state: "the state of the logout",
});
tells({ claims, userinfo, fresh: fresh.claims() ?? null, before, after, end: end.href });
process.exit(0);
