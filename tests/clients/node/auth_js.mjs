// An application that signs users in with Auth.js. It keeps the tokens in an encrypted cookie and refreshes them when
// its page updates the session. After its own sign-out it redirects to the logout of the provider.
import { ExpressAuth, getSession } from "@auth/express";
import { application, home, scope, serve, settings, summary, url } from "./application.mjs";

const found = await fetch(`${settings.issuer}/.well-known/openid-configuration`);
const { end_session_endpoint, token_endpoint } = await found.json();

const refreshed = async (token) => {
  const basic = Buffer.from([settings.client_id, settings.client_secret].map(encodeURIComponent).join(":"));
  const response = await fetch(token_endpoint, {
    method: "POST",
    headers: { Authorization: `Basic ${basic.toString("base64")}` },
    body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: token.refresh_token }),
  });
  const tokens = await response.json();
  if (!response.ok) return { ...token, refresh_error: tokens.error };
  return { ...token, access_token: tokens.access_token, refresh_token: tokens.refresh_token };
};

const configuration = {
  basePath: "/auth",
  secret: settings.own_secret,
  trustHost: true,
  providers: [
    {
      id: "passerelle",
      name: "Passerelle",
      type: "oidc",
      issuer: settings.issuer,
      clientId: settings.client_id,
      clientSecret: settings.client_secret,
      authorization: { params: { scope } },
      checks: ["pkce", "state", "nonce"],
      idToken: false, // take the profile from the userinfo endpoint
    },
  ],
  callbacks: {
    jwt: ({ token, account, profile, trigger }) => {
      if (trigger === "update") return refreshed(token);
      if (!account) return token;
      const { access_token, refresh_token, id_token } = account;
      return { ...token, access_token, refresh_token, id_token, userinfo: profile };
    },
    session: ({ session, token }) => ({ ...session, held: token }),
    // Allow the redirect to the logout of the provider.
    redirect: ({ url: wanted, baseUrl }) => (wanted.startsWith(`${end_session_endpoint}?`) ? wanted : baseUrl),
  },
};

application.use("/auth", ExpressAuth(configuration));

application.get("/", async (request, response) => {
  const session = await getSession(request, configuration);
  if (!session) return response.status(401).json({});
  const { held } = session;
  const end = new URL(end_session_endpoint);
  end.search = new URLSearchParams({ id_token_hint: held.id_token, post_logout_redirect_uri: home });
  const claims = JSON.parse(Buffer.from(held.id_token.split(".")[1], "base64url"));
  response.json({ ...summary(held), claims, refresh_error: held.refresh_error, end: end.href });
});

serve();
