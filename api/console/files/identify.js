// Identify: the dropped picture itself is the body of the request; it is shown here from the file that was dropped.
(() => {
  "use strict";
  const form = document.getElementById("identify");
  if (!form) return;
  const input = form.elements.file, zone = document.getElementById("dropzone"), seen = document.getElementById("seen");
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (!file) return;
    document.getElementById("file-name").textContent = file.name;
    URL.revokeObjectURL(seen.src);
    seen.src = URL.createObjectURL(file);
    seen.classList.remove("hidden");
    form.requestSubmit();
  });
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (request.form !== form || request.method?.toUpperCase() === "GET") return;
    request.body = input.files[0];
    request.headers["Content-Type"] = "application/octet-stream";
  });
})();
