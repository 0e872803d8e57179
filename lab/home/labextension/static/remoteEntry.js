// A JupyterLab extension that shows the size of the home in the status bar, and warns near the limit. JupyterLab loads
// any script that registers these two functions, so there is no build step.
(() => {
  const POLL_MS = 60_000;
  const WARNING_SHARE = 0.8;
  let shared;

  // Returns a module that JupyterLab shares with extensions.
  const load = async (name) => {
    const versions = Object.values(shared[name] ?? {});
    const version = versions.find((one) => one.loaded) ?? versions[0];
    if (!version) throw new Error(`JupyterLab does not share ${name}`);
    return (await version.get())();
  };

  const formatBytes = (bytes) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = 0;
    while (bytes >= 1024 && step < units.length - 1) {
      bytes /= 1024;
      step += 1;
    }
    return `${bytes.toFixed(step && bytes < 100 ? 1 : 0)} ${units[step]}`;
  };

  // Returns the notification to show once, or null. JupyterLab truncates messages at 140 characters.
  const warning = ({ used, limit, ends_at }) => {
    if (ends_at) {
      const time = new Date(ends_at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      const over = used > limit;
      return {
        kind: over ? "cleanup" : "cleaned-up",
        type: over ? "warning" : "success",
        message: over
          ? `This lab is in cleanup mode and ends at ${time}. Delete files, empty the trash ` +
            "(rm -rf ~/.local/share/Trash), then start as usual."
          : `Your home is within its limit again. Stop this lab (File, Hub Control Panel) and start as usual.`,
      };
    }
    if (used > limit) {
      return {
        kind: "over",
        type: "error",
        message:
          `Your home uses ${formatBytes(used)}, but its limit is ${formatBytes(limit)}. Delete files you do not need, ` +
          "or your next start will be rejected.",
      };
    }
    if (used >= WARNING_SHARE * limit) {
      const message = `Your home is nearly full: ${formatBytes(used)} of ${formatBytes(limit)}.`;
      return { kind: "tight", type: "warning", message };
    }
    return null;
  };

  const activate = async (app, statusBar) => {
    const { ServerConnection } = await load("@jupyterlab/services");
    const { Widget } = await load("@lumino/widgets");
    const settings = app.serviceManager.serverSettings;
    const item = new Widget();
    item.id = "passerelle-home";
    item.node.setAttribute("role", "status");
    item.title.label = "Home";
    let said = "";

    const show = (home) => {
      if (!home.limit || home.used === null) return;
      const full = home.used > home.limit;
      item.node.textContent = `Home${full ? " over its limit" : ""}: ${formatBytes(home.used)} of ${formatBytes(home.limit)}`;
      item.node.title = "Disk space of your files, including the trash";
      item.node.style.fontWeight = home.used >= WARNING_SHARE * home.limit ? "bold" : "";
      const word = warning(home);
      if (word && word.kind !== said) {
        const { type, message } = word;
        app.commands.execute("apputils:notify", { type, message, options: { autoClose: false } });
      }
      said = word ? word.kind : "";
    };

    const ask = async () => {
      if (document.hidden) return;
      try {
        const url = `${settings.baseUrl}passerelle/home`;
        const answer = await ServerConnection.makeRequest(url, {}, settings);
        if (answer.ok) show(await answer.json());
      } catch (error) {
        console.debug("the size of the home is currently unknown", error);
      }
    };

    statusBar.registerStatusItem("passerelle-home", { item, align: "left", rank: 90 });
    // Not awaited, because JupyterLab is restored only after its plugins are active.
    app.restored.then(() => {
      ask();
      setInterval(ask, POLL_MS);
      document.addEventListener("visibilitychange", ask);
    });
  };

  const extension = async () => {
    const { IStatusBar } = await load("@jupyterlab/statusbar");
    const plugin = { id: "passerelle-home:plugin", autoStart: true, requires: [IStatusBar], activate };
    return () => ({ __esModule: true, default: plugin });
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB["passerelle-home"] = {
    init: (scope) => {
      shared = scope;
    },
    get: extension,
  };
})();
