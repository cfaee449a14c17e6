// Mask brush: which part of a picture is the product, painted by hand. Each stroke is an act of a list, which is drawn
// again where one is taken back. The picture does not leave the browser before it is saved: as an input, with its mask.
(() => {
  "use strict";
  const form = document.getElementById("mask");
  if (!form) return;
  const at = (id) => document.getElementById(id), texts = JSON.parse(at("texts").textContent);
  const say = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const SHOWN = 1200, PRODUCT = "#3d6bff", MOST_PIXELS = 16_777_216;
  const canvas = at("canvas"), screen = canvas.getContext("2d"), layer = document.createElement("canvas");
  const mask = layer.getContext("2d"), measured = document.createElement("canvas");
  measured.width = measured.height = 64;
  const small = measured.getContext("2d", { willReadFrequently: true });
  let picture = null, file = null, acts = [], undone = [], stroke = null, erasing = false, spot = null, saved = null;

  function put(act) {
    mask.globalCompositeOperation = act.erase ? "destination-out" : "source-over";
    mask.fillStyle = mask.strokeStyle = PRODUCT;
    if (act.kind === "stroke") {
      const [first, ...rest] = act.points;
      mask.beginPath();
      mask.arc(...first, act.size / 2, 0, 7); // a line of no length draws nothing
      mask.fill();
      mask.lineCap = mask.lineJoin = "round";
      mask.lineWidth = act.size;
      mask.beginPath();
      mask.moveTo(...first);
      for (const point of rest) mask.lineTo(...point);
      mask.stroke();
    } else if (act.kind === "rectangle") {
      mask.fillRect(act.left, act.top, act.width, act.height);
    } else if (act.kind === "ellipse") {
      mask.beginPath();
      mask.ellipse(act.left + act.width / 2, act.top + act.height / 2, act.width / 2, act.height / 2, 0, 0, 7);
      mask.fill();
    } else if (act.kind === "clear") {
      mask.clearRect(0, 0, layer.width, layer.height);
    } else if (act.kind === "invert") {
      mask.globalCompositeOperation = "xor";
      mask.fillRect(0, 0, layer.width, layer.height);
    } else if (act.kind === "file") {
      mask.globalCompositeOperation = "source-over";
      mask.clearRect(0, 0, layer.width, layer.height);
      mask.drawImage(act.picture, 0, 0);
    }
    mask.globalCompositeOperation = "source-over";
  }
  function draw() {
    screen.clearRect(0, 0, canvas.width, canvas.height);
    screen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    screen.globalAlpha = 0.55;
    screen.drawImage(layer, 0, 0, canvas.width, canvas.height);
    screen.globalAlpha = 1;
    if (spot) {
      const scale = canvas.width / layer.width;
      for (const [width, colour] of [[4, "#000"], [2, "#fff"]]) {
        screen.lineWidth = width;
        screen.strokeStyle = colour;
        screen.beginPath();
        screen.arc(spot[0] * scale, spot[1] * scale, Math.max(3, (brush() / 2) * scale), 0, 7);
        screen.stroke();
      }
    }
  }
  const brush = () => (Number(at("size").value) / 1000) * Math.max(layer.width, layer.height);
  function changed() {
    saved = null;
    for (const id of ["saved", "saved-how", "use"]) at(id).classList.add("hidden");
    at("undo").disabled = !acts.length;
    at("redo").disabled = !undone.length;
    small.clearRect(0, 0, 64, 64);
    small.drawImage(layer, 0, 0, 64, 64);
    const { data } = small.getImageData(0, 0, 64, 64);
    let sum = 0;
    for (let i = 3; i < data.length; i += 4) sum += data[i];
    const share = sum / 255 / 4096;
    at("covered").textContent = say(texts.covered, { share: Math.round(share * 1000) / 10 });
    at("save").disabled = sum === 0;
    draw();
  }
  function act(made) {
    acts.push(made);
    undone = [];
    put(made);
    changed();
  }
  function undo() {
    if (!acts.length) return;
    undone.push(acts.pop());
    mask.clearRect(0, 0, layer.width, layer.height);
    for (const each of acts) put(each);
    changed();
  }
  function redo() {
    const made = undone.pop();
    if (!made) return;
    acts.push(made);
    put(made);
    changed();
  }
  function choose(erase) {
    erasing = erase;
    at("erase").setAttribute("aria-pressed", String(erase));
    at("paint").setAttribute("aria-pressed", String(!erase));
  }

  // Pointers: mouse, pen and finger alike.
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * layer.width, ((event.clientY - box.top) / box.height) * layer.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!picture || event.button) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    stroke = { kind: "stroke", erase: erasing || event.buttons === 32, size: brush(), points: [place(event)] };
    put(stroke);
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!picture) return;
    spot = place(event);
    if (stroke) {
      const last = stroke.points.at(-1), next = event.getCoalescedEvents?.().map(place) ?? [spot];
      stroke.points.push(...(next.length ? next : [spot]));
      put({ ...stroke, points: [last, ...(next.length ? next : [spot])] });
    }
    draw();
  });
  const end = () => {
    if (!stroke) return;
    acts.push(stroke);
    undone = [];
    stroke = null;
    changed();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => {
    if (stroke || document.activeElement === canvas) return;
    spot = null;
    if (picture) draw();
  });

  // Keyboard: the arrows move the brush, space or Enter sets it down.
  canvas.addEventListener("keydown", (event) => {
    if (!picture || event.metaKey || event.altKey) return;
    const step = Math.max(1, brush() / (event.shiftKey ? 8 : 2)), [x, y] = spot ?? [layer.width / 2, layer.height / 2];
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    const size = { "+": 5, "=": 5, "-": -5 }[event.key];
    if (moves) {
      spot = [Math.min(Math.max(0, x + moves[0]), layer.width), Math.min(Math.max(0, y + moves[1]), layer.height)];
      draw();
    } else if (event.key === " " || event.key === "Enter") {
      spot = [x, y];
      act({ kind: "stroke", erase: erasing, size: brush(), points: [spot] });
    } else if (size) {
      at("size").value = String(Number(at("size").value) + size);
      draw();
    } else {
      const known = { p: () => choose(false), e: () => choose(true), u: undo, r: redo, z: event.ctrlKey ? undo : null }[event.key.toLowerCase()];
      if (!known || (event.ctrlKey && event.key !== "z")) return;
      known();
    }
    event.preventDefault();
  });
  canvas.addEventListener("focus", () => {
    spot ??= [layer.width / 2, layer.height / 2];
    if (picture) draw();
  });
  canvas.addEventListener("blur", () => {
    spot = null;
    if (picture) draw();
  });
  at("paint").addEventListener("click", () => choose(false));
  at("erase").addEventListener("click", () => choose(true));
  at("undo").addEventListener("click", undo);
  at("redo").addEventListener("click", redo);
  at("invert").addEventListener("click", () => act({ kind: "invert" }));
  at("clear").addEventListener("click", () => act({ kind: "clear" }));
  at("size").addEventListener("input", () => picture && draw());
  for (const [id, erase] of [["shape-paint", false], ["shape-erase", true]]) {
    at(id).addEventListener("click", () => {
      const [left, top, width, height] = ["left", "top", "width", "height"].map((side) => Number(at(`shape-${side}`).value));
      if (width > 0 && height > 0) act({ kind: at("shape-kind").value, erase, left, top, width, height });
    });
  }

  const wrong = (text) => {
    at("said").className = text ? "notice bad" : "";
    at("said").textContent = text;
  };
  form.elements.file.addEventListener("change", async () => {
    const [chosen] = form.elements.file.files;
    if (!chosen) return;
    wrong("");
    try {
      const opened = await createImageBitmap(chosen);
      if (opened.width * opened.height > MOST_PIXELS) throw new Error("too many pixels");
      picture?.close?.();
      [picture, file, acts, undone, spot] = [opened, chosen, [], [], null];
    } catch {
      return wrong(say(texts.unreadable, { name: chosen.name }));
    }
    [layer.width, layer.height] = [picture.width, picture.height];
    const scale = Math.min(1, SHOWN / Math.max(picture.width, picture.height));
    [canvas.width, canvas.height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
    for (const side of ["width", "height"]) at(`shape-${side}`).value = String(picture[side]);
    at("easel").classList.remove("hidden");
    changed();
  });
  at("mask-file").addEventListener("change", async () => {
    const [chosen] = at("mask-file").files;
    if (!chosen || !picture) return;
    try {
      const opened = await createImageBitmap(chosen);
      if (opened.width !== picture.width || opened.height !== picture.height) {
        return wrong(say(texts.other_size, { width: picture.width, height: picture.height }));
      }
      const made = document.createElement("canvas");
      [made.width, made.height] = [opened.width, opened.height];
      const context = made.getContext("2d");
      context.drawImage(opened, 0, 0);
      const pixels = context.getImageData(0, 0, made.width, made.height), { data } = pixels;
      for (let i = 0; i < data.length; i += 4) {
        const share = (data[i + 3] / 255) * Math.max(data[i], data[i + 1], data[i + 2]); // white and opaque is product
        data[i] = 0x3d, data[i + 1] = 0x6b, data[i + 2] = 0xff, data[i + 3] = share;
      }
      context.putImageData(pixels, 0, 0);
      wrong("");
      act({ kind: "file", picture: made });
    } catch {
      wrong(say(texts.unreadable, { name: chosen.name }));
    }
  });

  /** White on black, of the picture's own size. */
  function finished() {
    const white = document.createElement("canvas"), whole = document.createElement("canvas");
    for (const each of [white, whole]) [each.width, each.height] = [layer.width, layer.height];
    const over = white.getContext("2d"), under = whole.getContext("2d");
    over.drawImage(layer, 0, 0);
    over.globalCompositeOperation = "source-in";
    over.fillStyle = "#fff";
    over.fillRect(0, 0, white.width, white.height);
    under.fillStyle = "#000";
    under.fillRect(0, 0, whole.width, whole.height);
    under.drawImage(white, 0, 0);
    return new Promise((done) => whole.toBlob(done, "image/png"));
  }
  async function call(path, options) {
    const answer = await presswork.call(path, options), said = await answer.json();
    if (answer.ok) return said;
    throw new Error([said.detail, ...(said.errors ?? []).map((error) => error.remedy)].join(" "));
  }
  async function send(content, name) {
    const body = new FormData();
    body.append("file", content, name);
    let input = await call("/v1/inputs", { method: "POST", body });
    for (let tries = 0; ["received", "checking"].includes(input.state) && tries < 6; tries++) {
      input = await call(`/v1/inputs/${input.id}?wait=10`);
    }
    if (["refused", "failed", "erased", "recalled"].includes(input.state)) {
      throw new Error(say(texts.refused, { name, reason: input.detail || input.reason || input.state }));
    }
    return input;
  }
  at("save").addEventListener("click", async () => {
    wrong("");
    at("save").disabled = true;
    const label = at("save").textContent;
    at("save").textContent = texts.saving;
    try {
      const image = await send(file, file.name);
      const painted = await send(await finished(), `mask-${file.name.replace(/\.[^.]*$/, "")}.png`);
      saved = { image: image.id, mask: painted.id };
      at("image-id").textContent = image.id;
      at("mask-id").textContent = painted.id;
      for (const id of ["saved", "saved-how", "use"]) at(id).classList.remove("hidden");
    } catch (error) {
      wrong(error.message);
    }
    at("save").textContent = label;
    at("save").disabled = false;
  });
  const fitting = () => {
    const replaces = at("task").value === "replace-background";
    for (const id of ["prompt-part", "lock-part"]) at(id).classList.toggle("hidden", !replaces);
  };
  at("task").addEventListener("change", fitting);
  fitting();
  at("submit").addEventListener("click", async () => {
    if (!saved) return;
    wrong("");
    at("submit").disabled = true;
    const body = { task: at("task").value, ...saved, prompt: "" };
    if (at("model")) body.model = at("model").value;
    if (body.task === "replace-background") {
      body.prompt = at("prompt").value;
      if (at("lock").checked) body.lock = "strict";
    }
    try {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) };
      const made = await call("/v1/requests", { method: "POST", body: JSON.stringify(body), headers });
      location.assign(`/console/campaigns/${made.id}`);
    } catch (error) {
      wrong(error.message);
      at("submit").disabled = false;
    }
  });
  form.addEventListener("submit", (event) => event.preventDefault());
})();
