// What the four applications have in common: their settings, and a session for each browser. APPLICATION in the
// environment is JSON: issuer, client_id, client_secret, port, own_secret.
import express from "express";
import session from "express-session";

export const settings = JSON.parse(process.env.APPLICATION);
export const url = `http://localhost:${settings.port}`;
export const home = `${url}/`;
export const scope = "openid profile email groups";

export const application = express();

// Each application has a cookie of its own name: to a browser, all ports of a host are one place for cookies.
export const remembers = () =>
  session({
    name: `session-${settings.port}`,
    secret: settings.own_secret,
    resave: false,
    saveUninitialized: false,
    cookie: { sameSite: "lax" },
  });

export const shows = (held) => ({
  claims: held.claims,
  userinfo: held.userinfo,
  access_token: held.access_token,
  refresh_token: held.refresh_token,
});

export const serves = () => {
  application.use((error, _request, response, _next) => {
    response.status(500).json({ error: error.error ?? error.code ?? error.name, message: `${error.message}` });
  });
  application.listen(settings.port, "localhost");
};
