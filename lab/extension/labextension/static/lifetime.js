/* Warns whoever is in this lab before it is stopped. A JupyterLab extension as the browser loads it: JupyterLab asks
   `window._JUPYTERLAB[name]` for it, and lends its own modules. No build step: this file is all there is. */
"use strict";
(() => {
  const ASK_AT_MOST_EVERY = 300_000; // ms
  const ASK_AGAIN_AFTER = 10_000; // when the hub did not answer, and while a warning stands
  const TELL_OF_USE_EVERY = 20_000;
  const SAVE_BEFORE_END = 45; // seconds
  const FRENCH = {
    "Your lab is stopped {when}: nobody is using it.": "Votre laboratoire sera arrêté {when} : personne ne l’utilise.",
    "Your lab is stopped {when}: it reaches its maximum age.":
      "Votre laboratoire sera arrêté {when} : il atteint son âge maximal.",
    "Saved files stay. Programs that run end.": "Les fichiers enregistrés restent. Les programmes en cours s’arrêtent.",
    "in {n} minutes": "dans {n} minutes",
    "in a minute": "dans une minute",
    "in less than a minute": "dans moins d’une minute",
    "Keep it running": "Le garder en marche",
    "Save all": "Tout enregistrer",
  };
  const isFrench = (navigator.languages || []).map(tag => tag.split("-")[0]).find(tag => "fr en".includes(tag)) === "fr";
  const say = sentence => (isFrench && FRENCH[sentence]) || sentence;

  let shared;
  const borrow = async name => {
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

    const tellOfUse = async () => {
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
        callback: () => { used = true; void tellOfUse().then(ask).then(tell).catch(() => {}); },
      };
      return reason === "idle" ? [keep, save] : [save];
    };

    const warn = (told, seconds) => {
      const sentence = told.why === "idle"
        ? "Your lab is stopped {when}: nobody is using it."
        : "Your lab is stopped {when}: it reaches its maximum age.";
      const text = `${say(sentence).replace("{when}", when(seconds))} ${say("Saved files stay. Programs that run end.")}`;
      if (shown && why === told.why && Notification.manager.has(shown)) {
        Notification.update({ id: shown, message: text });
      } else if (why !== told.why) {  // whoever closed it has read it
        hide();
        shown = Notification.emit(text, "warning", { autoClose: false, actions: actions(told.why) });
        why = told.why;
      }
    };

    const tell = told => {
      if (told.announcement && told.announcement !== announced) {
        announced = told.announcement;
        Notification.emit(announced, "info", { autoClose: false });
      }
      const left = told.stops_at === null ? Infinity : (Date.parse(told.stops_at) - Date.parse(told.now)) / 1000;
      if (left > SAVE_BEFORE_END) saved = false;
      else if (told.why === "age" && !saved) {  // whoever is idle has been saved long ago
        saved = true;
        app.commands.execute("docmanager:save-all");
      }
      if (left <= told.warning) warn(told, Math.max(0, left));
      else hide();
      return left;
    };

    const watch = async () => {
      let pause = ASK_AT_MOST_EVERY;
      try {
        await tellOfUse();
        const told = await ask();
        const untilWarning = (tell(told) - told.warning) * 1000;
        pause = untilWarning > 0 ? Math.min(pause, untilWarning + 1000) : ASK_AGAIN_AFTER;
      } catch {
        // The hub restarts, or the lab is gone, of which JupyterLab itself speaks.
        pause = ASK_AGAIN_AFTER;
      }
      setTimeout(watch, Math.max(pause, 2_000));
    };
    // To read is use as well: keys, clicks, scrolling.
    for (const kind of ["keydown", "pointerdown", "wheel", "touchstart"]) {
      document.addEventListener(kind, () => { used = true; }, { capture: true, passive: true });
    }
    setInterval(tellOfUse, TELL_OF_USE_EVERY);
    void app.restored.then(watch);
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["passerelle-lab"] = {
    init: scope => { shared = scope; },
    get: async () => {
      const { Notification } = await borrow("@jupyterlab/apputils");
      const { ServerConnection } = await borrow("@jupyterlab/services");
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
