// A page without a server, around the script of the recipe.
import { cas, signOut, currentUser } from "/cas.js";

const show = (what) => (document.querySelector("output").textContent = JSON.stringify(what));
const showUser = ({ profile, access_token, refresh_token }) => show({ profile, access_token, refresh_token });
const whenClicked = (id, action) =>
  document.getElementById(id).addEventListener("click", async () => {
    show("");
    await action().catch((failure) => show({ error: failure.error ?? failure.message }));
  });

whenClicked("renew", async () => showUser(await cas.signinSilent()));
whenClicked("sign-out", signOut);

if (await currentUser()) showUser(await cas.getUser());
