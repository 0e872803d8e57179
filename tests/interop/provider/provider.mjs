// The provider, with people who are told to it on standard input and a sign-in page that asks nobody anything.
// Settings come as JSON in PROVIDER; each line of input is JSON too: {"people": {…}}, {"who": "alice"}, {"down": true}.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const told = JSON.parse(process.env.PROVIDER);
let people = {};
let who = null;

const provider = new Provider(told.issuer, {
  clients: [told.client],
  routes: told.routes ?? {},
  cookies: { keys: ["of a test"] },
  claims: { openid: ["sub"], profile: ["preferred_username", "name", "groups"], email: ["email"] },
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
  ttl: { AccessToken: told.access_token_seconds, Grant: 3600, IdToken: 60, Interaction: 600, Session: 3600, RefreshToken: 3600 },
  issueRefreshToken: async () => told.refresh_tokens,
  rotateRefreshToken: true,
  clockTolerance: 0,
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // Its own dispatcher refuses loopback addresses, such as that of the hub.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  findAccount: (_, id) => (people[id] ? { accountId: id, claims: () => ({ sub: id, ...people[id] }) } : undefined),
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
});
const answer = provider.callback();
const counted = {};
const server = createServer((request, response) => {
  const path = request.url.split("?")[0];
  counted[path] = (counted[path] ?? 0) + 1;
  if (!path.startsWith("/interaction/")) return answer(request, response);
  return provider.interactionFinished(request, response, { login: { accountId: who } });
});
const listen = () => new Promise((done) => server.listen(told.port, "127.0.0.1", done));
const tells = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

await listen();
tells({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.people) people = command.people;
  if (command.who) who = command.who;
  if (command.down === true) await new Promise((done) => { server.close(done); server.closeAllConnections(); });
  if (command.down === false) await listen();
  tells({ counted });
}
process.exit(0);
