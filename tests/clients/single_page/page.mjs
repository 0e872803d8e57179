// A page without a server of its own, around what the recipe prints.
import { cas, signOut, currentUser } from "/cas.js";

const shows = (what) => (document.querySelector("output").textContent = JSON.stringify(what));
const showsUser = ({ profile, access_token, refresh_token }) => shows({ profile, access_token, refresh_token });
const whenClicked = (id, does) =>
  document.getElementById(id).addEventListener("click", async () => {
    shows("");
    await does().catch((failure) => shows({ error: failure.error ?? failure.message }));
  });

whenClicked("renew", async () => showsUser(await cas.signinSilent()));
whenClicked("sign-out", signOut);

if (await currentUser()) showsUser(await cas.getUser());
