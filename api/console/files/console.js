// Behaviour of every page: the token of a change, the link that signs in once, files that are dropped, instants in the
// reader's own zone.
(() => {
  "use strict";
  const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";

  document.addEventListener("htmx:config:request", (event) => {
    event.detail.ctx.request.headers["X-CSRF-Token"] = csrf;
  });

  /** A call of the API with the key of the session. */
  window.presswork = {
    csrf,
    call(path, options = {}) {
      const headers = { "X-CSRF-Token": csrf, ...options.headers };
      return fetch(`/console/api${path}`, { ...options, headers, credentials: "same-origin" });
    },
    toast(text, kind = "good") {
      const line = document.createElement("p");
      line.className = `toast ${kind}`;
      line.textContent = text;
      document.getElementById("toasts").append(line);
      setTimeout(() => line.remove(), 6000);
    },
  };

  const enter = document.getElementById("enter");
  if (enter && location.hash.length > 1) {
    enter.elements.link.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname); // the secret leaves the address at once
    if ("direct" in enter.dataset) enter.requestSubmit();
  }

  const localised = (root) => {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.valueOf())) continue;
      time.title = time.textContent;
      time.textContent = at.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
      time.dataset.local = "";
    }
  };
  localised(document);
  document.addEventListener("htmx:after:swap", () => localised(document));

  // A file may be dropped where one may be chosen.
  const zone = document.getElementById("dropzone"), chosen = zone?.querySelector("input[type=file]");
  for (const kind of zone ? ["dragenter", "dragover"] : []) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) zone?.addEventListener(kind, () => zone.classList.remove("over"));
  zone?.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    chosen.files = event.dataTransfer.files;
    chosen.dispatchEvent(new Event("change", { bubbles: true }));
  });
  chosen?.addEventListener("change", () => {
    document.getElementById("file-name").textContent = chosen.files[0]?.name ?? "";
  });

  // A filter is sent when it changes; without scripts, its button does.
  for (const form of document.querySelectorAll("form[data-live]")) {
    form.addEventListener("change", () => form.requestSubmit());
  }
})();
