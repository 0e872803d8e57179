/* A JupyterLab extension that warns the user before the lab is stopped. JupyterLab loads it from
   `window._JUPYTERLAB[name]` and provides the shared modules, so there is no build step. */
"use strict";
(() => {
  const POLL_MAX_MS = 300_000;
  const RETRY_MS = 10_000; // after an error, and while a warning is shown
  const REPORT_MS = 20_000;
  const SAVE_BEFORE_END = 45; // seconds before the stop
  const FRENCH = {
    "Your lab will be stopped {when}: it is not in use.": "Votre laboratoire sera arrêté {when} : il n’est pas utilisé.",
    "Your lab will be stopped {when}: it reaches its maximum age.":
      "Votre laboratoire sera arrêté {when} : il atteint son âge maximal.",
    "Saved files are kept. Running programs end.": "Les fichiers enregistrés sont conservés. Les programmes en cours s’arrêtent.",
    "in {n} minutes": "dans {n} minutes",
    "in a minute": "dans une minute",
    "in less than a minute": "dans moins d’une minute",
    "Keep it running": "Le garder en marche",
    "Save all": "Tout enregistrer",
  };
  const isFrench = (navigator.languages || []).map(tag => tag.split("-")[0]).find(tag => "fr en".includes(tag)) === "fr";
  const say = sentence => (isFrench && FRENCH[sentence]) || sentence;

  let shared;
  const sharedModule = async name => {
    const versions = shared[name];
    return (await Object.values(versions)[0].get())();
  };

  const when = seconds => {
    const minutes = Math.round(seconds / 60);
    if (seconds < 60) return say("in less than a minute");
    return minutes < 2 ? say("in a minute") : say("in {n} minutes").replace("{n}", minutes);
  };

  const activate = (app, { Notification, ServerConnection }) => {
    const settings = ServerConnection.makeSettings();
    const address = `${settings.baseUrl}passerelle/lifetime`;
    let shown, why, announced, used, saved;

    const hide = () => {
      if (shown) Notification.dismiss(shown);
      shown = why = undefined;
    };

    const request = async method => {
      const answer = await ServerConnection.makeRequest(address, { method }, settings);
      if (!answer.ok) throw new Error(`${answer.status}`);
      return answer;
    };

    const ask = async () => (await request("GET")).json();

    const reportUse = async () => {
      if (!used) return;
      used = false;
      await request("POST").catch(() => { used = true; });
    };

    const actions = reason => {
      const save = {
        label: say("Save all"),
        callback: () => { app.commands.execute("docmanager:save-all"); },
      };
      const keep = {
        label: say("Keep it running"),
        displayType: "accent",
        callback: () => { used = true; void reportUse().then(ask).then(show).catch(() => {}); },
      };
      return reason === "idle" ? [keep, save] : [save];
    };

    const warn = (state, seconds) => {
      const sentence = state.why === "idle"
        ? "Your lab will be stopped {when}: it is not in use."
        : "Your lab will be stopped {when}: it reaches its maximum age.";
      const text = `${say(sentence).replace("{when}", when(seconds))} ${say("Saved files are kept. Running programs end.")}`;
      if (shown && why === state.why && Notification.manager.has(shown)) {
        Notification.update({ id: shown, message: text });
      } else if (why !== state.why) {  // a closed warning is not shown again
        hide();
        shown = Notification.emit(text, "warning", { autoClose: false, actions: actions(state.why) });
        why = state.why;
      }
    };

    const show = state => {
      if (state.announcement && state.announcement !== announced) {
        announced = state.announcement;
        Notification.emit(announced, "info", { autoClose: false });
      }
      const left = state.stops_at === null ? Infinity : (Date.parse(state.stops_at) - Date.parse(state.now)) / 1000;
      if (left > SAVE_BEFORE_END) saved = false;
      else if (state.why === "age" && !saved) {  // an idle lab has been autosaved before
        saved = true;
        app.commands.execute("docmanager:save-all");
      }
      if (left <= state.warning) warn(state, Math.max(0, left));
      else hide();
      return left;
    };

    const watch = async () => {
      let pause = POLL_MAX_MS;
      try {
        await reportUse();
        const state = await ask();
        const untilWarning = (show(state) - state.warning) * 1000;
        pause = untilWarning > 0 ? Math.min(pause, untilWarning + 1000) : RETRY_MS;
      } catch {
        // The hub restarts, or the lab has stopped, which JupyterLab reports itself.
        pause = RETRY_MS;
      }
      setTimeout(watch, Math.max(pause, 2_000));
    };
    // Reading counts as use: keys, clicks, scrolling.
    for (const kind of ["keydown", "pointerdown", "wheel", "touchstart"]) {
      document.addEventListener(kind, () => { used = true; }, { capture: true, passive: true });
    }
    setInterval(reportUse, REPORT_MS);
    void app.restored.then(watch);
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["passerelle-lab"] = {
    init: scope => { shared = scope; },
    get: async () => {
      const { Notification } = await sharedModule("@jupyterlab/apputils");
      const { ServerConnection } = await sharedModule("@jupyterlab/services");
      const plugin = {
        id: "passerelle-lab:lifetime",
        description: "Warns before this lab is stopped",
        autoStart: true,
        activate: app => activate(app, { Notification, ServerConnection }),
      };
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
