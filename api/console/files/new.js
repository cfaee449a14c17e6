// New campaign: the form becomes the two parts that the API takes, `spec` and `file`.
(() => {
  "use strict";
  const form = document.getElementById("new");
  if (!form) return;
  const input = form.elements.file;
  let key = crypto.randomUUID?.() ?? String(Math.random()).slice(2); // one submission, however often the button is pressed

  const spec = () => {
    const of = (field) => form.elements[field]?.value.trim() ?? "";
    const made = { template: form.elements.template.value, name: of("name"), priority: of("priority") };
    if (of("model")) made.model = of("model");
    if (of("prompt_syntax")) made.prompt_syntax = of("prompt_syntax");
    if (of("variants")) made.variants = Number(of("variants"));
    if (of("key")) made.key = of("key").split(",").map((one) => one.trim());
    if (Number(of("pilot")) > 0) made.pilot = { images: Number(of("pilot")), max_rejected: Math.min(1, Number(of("pilot")) - 1) };
    return made;
  };
  const changed = () => {
    key = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
    for (const button of document.querySelectorAll('#answer [data-act="submit"]')) button.disabled = true; // of another form
  };
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (request.form !== form) return;
    const submits = request.submitter?.dataset.act === "submit";
    request.action = submits ? "/console/new/submit" : "/console/new/check";
    if (submits) request.headers["Idempotency-Key"] = key;
    const body = new FormData();
    body.append("spec", new Blob([JSON.stringify({ ...spec(), dry_run: !submits })], { type: "application/json" }), "");
    body.append("file", input.files[0]);
    request.body = body;
  });
})();
