// A single-page application without a server of its own: oidc-client-ts does everything in the browser. It is one page
// for all: where people come back to after sign-in and sign-out, and what is loaded in the frame of a silent renewal.
const here = new URL(".", location.href).href;
const { authority, client_id } = await (await fetch("settings.json")).json();

const manager = new oidc.UserManager({
  authority,
  client_id,
  redirect_uri: here,
  post_logout_redirect_uri: here,
  silent_redirect_uri: here,
  scope: "openid profile email groups",
  loadUserInfo: true,
  automaticSilentRenew: false,
});

const shows = (what) => (document.querySelector("output").textContent = JSON.stringify(what));
const showsUser = (user) => {
  if (!user || user.expired) return shows({ signed_in: false });
  const { profile, access_token, refresh_token } = user;
  shows({ signed_in: true, profile, access_token, refresh_token });
};
const whenClicked = (id, does) =>
  document.getElementById(id).addEventListener("click", async () => {
    shows({});
    await does().catch((failure) => shows({ error: failure.error ?? failure.message }));
  });

whenClicked("sign-in", () => manager.signinRedirect());
whenClicked("renew", async () => showsUser(await manager.signinSilent()));
whenClicked("sign-out", () => manager.signoutRedirect());

// In the frame of a silent renewal this tells the page around it, and nothing comes of it here.
try {
  if (new URLSearchParams(location.search).has("state") && (await manager.signinCallback())) {
    history.replaceState(null, "", here);
  }
  showsUser(await manager.getUser());
} catch (failure) {
  shows({ error: failure.error ?? failure.message });
}
