// The shared part of the four applications: settings and sessions. The environment variable APPLICATION is JSON with
// issuer, client_id, client_secret, port and own_secret.
import express from "express";
import session from "express-session";

export const settings = JSON.parse(process.env.APPLICATION);
export const url = `http://localhost:${settings.port}`;
export const home = `${url}/`;
export const scope = "openid profile email groups";

export const application = express();

// Each application has its own cookie name, because browsers share cookies between all ports of a host.
export const sessionMiddleware = () =>
  session({
    name: `session-${settings.port}`,
    secret: settings.own_secret,
    resave: false,
    saveUninitialized: false,
    cookie: { sameSite: "lax" },
  });

export const summary = (held) => ({
  claims: held.claims,
  userinfo: held.userinfo,
  access_token: held.access_token,
  refresh_token: held.refresh_token,
});

export const serve = () => {
  application.use((error, _request, response, _next) => {
    response.status(500).json({ error: error.error ?? error.code ?? error.name, message: `${error.message}` });
  });
  application.listen(settings.port, "localhost");
};
