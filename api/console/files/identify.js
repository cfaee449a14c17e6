// Identify: the dropped picture itself is the body of the request; it is shown here from the file that was dropped.
(() => {
  "use strict";
  const form = document.getElementById("identify");
  if (!form) return;
  const input = form.elements.file, seen = document.getElementById("seen");
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (!file) return;
    URL.revokeObjectURL(seen.src);
    seen.src = URL.createObjectURL(file);
    seen.classList.remove("hidden");
    form.requestSubmit();
  });
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (request.form !== form || request.method?.toUpperCase() === "GET") return;
    request.body = input.files[0];
    request.headers["Content-Type"] = "application/octet-stream";
  });
})();
