// What the four applications have in common: their settings, a session for each browser, and the sign of a start.
// APPLICATION in the environment is JSON: issuer, client_id, client_secret, port. The program ends with its standard
// input.
import { randomBytes } from "node:crypto";
import express from "express";
import session from "express-session";

export const settings = JSON.parse(process.env.APPLICATION);
export const url = `http://127.0.0.1:${settings.port}`;
export const home = `${url}/`;
export const scope = "openid profile email groups";

export const application = express();

// Each application has a cookie of its own name: to a browser, all ports of a host are one place for cookies.
export const remembers = () =>
  session({
    name: `session-${settings.port}`,
    secret: randomBytes(32).toString("hex"),
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
  application.listen(settings.port, "127.0.0.1", () => process.stdout.write("ready\n"));
  process.stdin.on("end", () => process.exit(0)).resume();
};
