// Inputs: dropped pictures are sent one after the other; what is refused is told by name, and the rest goes on.
(() => {
  "use strict";
  const form = document.getElementById("send");
  if (!form) return;
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const outcome = document.getElementById("outcome"), files = form.elements.file;
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  files.addEventListener("change", async () => {
    const chosen = [...files.files];
    let sent = 0;
    outcome.replaceChildren();
    files.disabled = true;
    for (const file of chosen) {
      form.querySelector("#file-name").textContent = say(texts.sending, { name: file.name, place: sent + 1, count: chosen.length });
      const body = new FormData();
      body.append("file", file);
      let refused = null;
      try {
        const answer = await presswork.call("/v1/inputs", { method: "POST", body });
        if (!answer.ok) {
          const problem = await answer.json();
          refused = [problem.detail, ...(problem.errors ?? []).map((error) => error.remedy)].join(" ");
        }
      } catch (error) {
        refused = String(error);
      }
      sent += 1;
      if (refused === null) continue;
      const line = document.createElement("li");
      const name = document.createElement("strong"), why = document.createElement("span");
      name.textContent = file.name;
      why.textContent = refused;
      line.append(name, why);
      outcome.append(line);
    }
    if (!outcome.children.length) return location.assign("/console/inputs");
    files.disabled = false;
    files.value = "";
    form.querySelector("#file-name").textContent = say(texts.refused, { count: outcome.children.length, all: chosen.length });
  });
})();
