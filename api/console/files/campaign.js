// A campaign, live: an event of the API asks for the changed part of the page, at most once in a second.
(() => {
  "use strict";
  const root = document.querySelector("[data-events]");
  if (!root) return;
  let waiting = null;
  const news = () => {
    waiting ??= setTimeout(() => {
      waiting = null;
      document.getElementById("live")?.dispatchEvent(new CustomEvent("news"));
    }, 1000);
  };
  if (!("over" in root.dataset)) {
    // The browser connects again by itself and sends the id of the last event that it has seen.
    const events = new EventSource(root.dataset.events);
    events.onmessage = news;
    const kinds = ["cancelled", "changed", "expired", "finished", "paused", "resumed"].map((verb) => `request.${verb}`);
    for (const kind of [...kinds, "progress", "pilot.accepted", "pilot.ready", "pilot.rejected"]) {
      events.addEventListener(kind, news);
    }
    addEventListener("pagehide", () => events.close());
  }
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset?.ask;
    if (question && !confirm(question)) event.preventDefault();
  });
})();
