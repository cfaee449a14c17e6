// A catalogue's next feed: the file and the catalogue as it is stored become the two parts that the API takes.
(() => {
  "use strict";
  const form = document.getElementById("feed");
  if (!form) return;
  const refused = document.getElementById("refused"), button = form.querySelector("button");
  let key = crypto.randomUUID?.() ?? String(Math.random()).slice(2); // one plan, however often the button is pressed
  form.addEventListener("change", () => {
    key = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  });
  const say = (text) => {
    const line = document.createElement("p");
    line.className = "notice bad";
    line.textContent = text;
    refused.replaceChildren(line);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = new FormData(), { name } = form.dataset;
    body.append("catalogue", document.getElementById("spec").textContent);
    if (form.elements.file) body.append("file", form.elements.file.files[0]);
    button.disabled = true;
    refused.replaceChildren();
    try {
      const options = { method: "POST", body, headers: { "Idempotency-Key": key } };
      const answer = await presswork.call(`/v1/catalogues/${name}/plans`, options), said = await answer.json();
      if (answer.ok) return location.assign(`/console/catalogues/${name}/plans/${said.id}`);
      say([said.detail, ...(said.errors ?? []).map((error) => error.remedy)].join(" "));
    } catch (error) {
      say(String(error));
    }
    button.disabled = false;
  });
})();
