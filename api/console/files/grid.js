// <picture-grid>: all images of a request in one list that scrolls.
//
// A place follows from arithmetic: columns by the width, rows by the place. Only what is near the window is in the
// document, at most 120 cells, which are used again. Items come in pages by their place; thumbnails when scrolling rests.
(() => {
  "use strict";
  const PAGE = 100, MOST_CELLS = 120, CELL = 190, GAP = 12, CAPTION = 46, REST_MILLISECONDS = 90;
  const COLOURS = 16; // drawn in one frame, so that scrolling waits for none
  const MOST_PIXELS = 12_000_000; // browsers lose places beyond 16.7 million; above it, one pixel stands for several
  const texts = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

  /** The colours of a ThumbHash (https://evanw.github.io/thumbhash/) as pixels of at most so many a side. */
  function pixelsOf(base64, side = 16) {
    const hash = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
    const head = hash[0] | (hash[1] << 8) | (hash[2] << 16), rest = hash[3] | (hash[4] << 8);
    const covers = head >> 23, wide = rest >> 15, most = covers ? 5 : 7, other = rest & 7;
    const across = Math.max(3, wide ? most : other), down = Math.max(3, wide ? other : most);
    let at = covers ? 12 : 10; // in half bytes
    const terms = (nx, ny, scale) => {
      const found = [];
      for (let y = 0; y < ny; y++) {
        for (let x = y ? 0 : 1; x * ny < nx * (ny - y); x++, at++) {
          found.push([x, y, (((hash[at >> 1] >> ((at & 1) << 2)) & 15) / 7.5 - 1) * scale]);
        }
      }
      return found;
    };
    const light = terms(across, down, ((head >> 18) & 31) / 31);
    const yellow = terms(3, 3, (((rest >> 3) & 63) / 63) * 1.25), red = terms(3, 3, (((rest >> 9) & 63) / 63) * 1.25);
    const cover = covers ? terms(5, 5, (hash[5] >> 4) / 15) : [];
    const ratio = (wide ? most : other) / (wide ? other : most);
    const width = Math.round(ratio > 1 ? side : side * ratio), height = Math.round(ratio > 1 ? side / ratio : side);
    const picture = new ImageData(width, height);
    const cosines = (count) => Array.from({ length: 7 }, (_, n) => Float64Array.from({ length: count }, (_, place) => Math.cos((Math.PI / count) * (place + 0.5) * n)));
    const xs = cosines(width), ys = cosines(height);
    // The terms of a channel along one line, summed over the other direction.
    const along = (mean, some, y) => {
      const made = new Float64Array(7).fill(0);
      made[0] = mean;
      for (const [nx, ny, by] of some) made[nx] += by * ys[ny][y] * 2;
      return made;
    };
    for (let y = 0, i = 0; y < height; y++) {
      const lights = along((head & 63) / 63, light, y), yellows = along(((head >> 6) & 63) / 31.5 - 1, yellow, y);
      const reds = along(((head >> 12) & 63) / 31.5 - 1, red, y), covered = along(covers ? (hash[5] & 15) / 15 : 1, cover, y);
      for (let x = 0; x < width; x++, i += 4) {
        let l = 0, p = 0, q = 0, a = 0;
        for (let n = 0; n < 7; n++) {
          const factor = xs[n][x];
          l += lights[n] * factor, p += yellows[n] * factor, q += reds[n] * factor, a += covered[n] * factor;
        }
        const b = l - (2 / 3) * p, r = (3 * l - b + q) / 2;
        picture.data[i] = 255 * r, picture.data[i + 1] = 255 * (r - q), picture.data[i + 2] = 255 * b, picture.data[i + 3] = 255 * a; // clamped by its type
      }
    }
    return picture;
  }

  class PictureGrid extends HTMLElement {
    connectedCallback() {
      this.total = Number(this.getAttribute("total"));
      this.pages = new Map(); // number of the page -> items, or the promise of them
      this.cells = []; // in the document
      this.focused = 0;
      this.space = document.createElement("div");
      this.space.className = "space";
      this.replaceChildren(this.space);
      this.setAttribute("role", "grid");
      this.setAttribute("aria-label", this.getAttribute("label"));
      this.tabIndex = -1;
      this.addEventListener("scroll", () => this.plan(), { passive: true });
      this.addEventListener("keydown", (event) => this.key(event));
      this.watch = new ResizeObserver(() => this.measure());
      this.watch.observe(this);
      document.getElementById("jump")?.addEventListener("submit", (event) => {
        event.preventDefault();
        this.go(Number(document.getElementById("place").value) - 1);
      });
    }
    disconnectedCallback() {
      this.watch.disconnect();
    }

    measure() {
      const width = this.clientWidth;
      if (!width) return;
      const columns = Math.max(2, Math.floor((width + GAP) / (CELL + GAP)));
      const first = this.columns ? Math.floor(this.top() / this.height) * this.columns : 0;
      this.columns = columns;
      this.side = (width - GAP * (columns - 1)) / columns;
      this.height = this.side + CAPTION + GAP;
      this.rows = Math.ceil(this.total / columns);
      const whole = this.rows * this.height;
      this.scale = Math.max(1, whole / MOST_PIXELS);
      this.space.style.height = `${whole / this.scale}px`;
      this.setAttribute("aria-rowcount", this.rows);
      this.setAttribute("aria-colcount", columns);
      if (first) this.scrollTop = (Math.floor(first / columns) * this.height) / this.scale;
      this.plan();
    }
    /** Pixels of the whole list above the window. */
    top() {
      return this.scrollTop * this.scale;
    }
    plan() {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = null;
        this.draw();
      });
      clearTimeout(this.rest);
      this.rest = setTimeout(() => this.load(), REST_MILLISECONDS);
    }

    /** The first row of the window and how many cells are drawn from there on. */
    window() {
      const from = Math.max(0, Math.floor(this.top() / this.height) - 1);
      const rows = Math.ceil(this.clientHeight / this.height) + 3;
      const count = Math.min(rows * this.columns, MOST_CELLS - (MOST_CELLS % this.columns));
      return [from * this.columns, Math.min(count, this.total - from * this.columns)];
    }
    draw() {
      if (!this.columns) return;
      const [first, count] = this.window();
      const wanted = new Set(Array.from({ length: count }, (_, place) => first + place));
      const free = this.cells.filter((cell) => !wanted.has(cell.place));
      const shown = new Map(this.cells.map((cell) => [cell.place, cell]));
      let colours = COLOURS;
      for (const place of wanted) {
        const cell = shown.get(place) ?? free.pop() ?? this.make();
        if (cell.place !== place) {
          cell.place = place;
          this.clear(cell);
        }
        const row = Math.floor(place / this.columns), column = place % this.columns;
        // The part of the list at the window keeps its size, whatever the scale of the whole is.
        const y = row * this.height - this.top() + this.scrollTop;
        cell.style.transform = `translate(${column * (this.side + GAP)}px, ${y}px)`;
        cell.style.width = `${this.side}px`;
        cell.frame.style.height = `${this.side}px`;
        cell.column.setAttribute("aria-colindex", column + 1);
        cell.setAttribute("aria-rowindex", row + 1);
        cell.box.tabIndex = place === this.focused ? 0 : -1;
        this.fill(cell);
        if (cell.item?.thumbhash && !cell.frame.firstChild && colours-- > 0) this.colour(cell);
      }
      if (colours < 0) this.plan(); // the others in the next frame
      for (const cell of free) cell.remove();
      this.cells = this.cells.filter((cell) => cell.isConnected);
      if (!wanted.has(this.focused) && this.cells[0]) this.cells[0].box.tabIndex = 0;
    }
    make() {
      // A row of its own for each cell: its index says where it stands.
      const cell = document.createElement("div");
      cell.className = "cell";
      cell.setAttribute("role", "row");
      cell.column = document.createElement("div");
      cell.column.setAttribute("role", "gridcell");
      cell.box = document.createElement("a");
      cell.frame = document.createElement("span");
      cell.frame.className = "frame";
      cell.name = document.createElement("span");
      cell.name.className = "name";
      cell.word = document.createElement("span");
      cell.box.append(cell.frame, cell.name, cell.word);
      cell.column.append(cell.box);
      cell.append(cell.column);
      cell.box.addEventListener("focus", () => (this.focused = cell.place));
      this.space.append(cell);
      this.cells.push(cell);
      return cell;
    }
    clear(cell) {
      cell.item = null;
      cell.picture = null;
      cell.box.removeAttribute("href");
      cell.frame.replaceChildren();
      cell.name.textContent = "";
      cell.word.textContent = "";
      cell.word.className = "word";
    }
    fill(cell) {
      const items = this.pages.get(Math.floor(cell.place / PAGE));
      const item = Array.isArray(items) ? items[cell.place % PAGE] : null;
      if (!item || cell.item === item) return;
      cell.item = item;
      const state = texts.state?.[item.state] ?? item.state;
      cell.name.textContent = item.variant ? `${item.custom_id} / ${item.variant}` : item.custom_id;
      cell.word.textContent = state;
      cell.word.className = `word w-${item.state}`;
      if (item.asset_id) cell.box.href = `/console/assets/${item.asset_id}`;
    }
    /** The colours of its picture, before that is there. */
    colour(cell) {
      const canvas = document.createElement("canvas"), pixels = pixelsOf(cell.item.thumbhash);
      canvas.className = "colours";
      [canvas.width, canvas.height] = [pixels.width, pixels.height];
      canvas.getContext("2d").putImageData(pixels, 0, 0);
      cell.frame.replaceChildren(canvas);
    }

    /** Scrolling rests: what is missing here is asked for, and nothing of what was passed. */
    async load() {
      if (!this.columns) return;
      const [first, count] = this.window();
      for (let page = Math.floor(first / PAGE); page <= Math.floor((first + count - 1) / PAGE); page++) {
        if (!this.pages.has(page)) this.ask(page);
      }
      for (const cell of this.cells) this.picture(cell);
    }
    async ask(page) {
      const query = new URLSearchParams({ limit: PAGE, skip: page * PAGE });
      if (this.getAttribute("filter")) query.set("state", this.getAttribute("filter"));
      this.pages.set(page, null);
      try {
        const answer = await presswork.call(`${this.getAttribute("items")}?${query}`);
        if (!answer.ok) throw new Error((await answer.json()).detail);
        this.pages.set(page, (await answer.json()).data);
        if (this.pages.size > 40) this.pages.delete(this.pages.keys().next().value);
        this.plan();
      } catch (error) {
        this.pages.delete(page);
        presswork.toast(error.message, "bad");
      }
    }
    picture(cell) {
      if (!cell.item || cell.picture) return;
      if (cell.item.state !== "released" || !cell.item.asset_id) return;
      const picture = (cell.picture = document.createElement("img"));
      picture.alt = "";
      picture.decoding = "async";
      picture.src = `/console/api/v1/assets/${cell.item.asset_id}/thumbnail`;
      cell.frame.append(picture); // over the colours, which it then takes the place of
      picture.addEventListener("load", () => cell.picture === picture && cell.frame.replaceChildren(picture));
    }

    go(place) {
      this.focused = Math.min(Math.max(0, place || 0), this.total - 1);
      const y = Math.floor(this.focused / this.columns) * this.height;
      if (y < this.top() || y + this.height > this.top() + this.clientHeight) this.scrollTop = y / this.scale;
      this.draw();
      this.cells.find((cell) => cell.place === this.focused)?.box.focus({ preventScroll: true });
      this.plan();
    }
    key(event) {
      const page = Math.max(1, Math.floor(this.clientHeight / this.height)) * this.columns;
      const steps = {
        ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns,
        PageDown: page, PageUp: -page, Home: -this.total, End: this.total,
      }[event.key];
      if (!steps || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.go(this.focused + steps);
    }
  }
  customElements.define("picture-grid", PictureGrid);
})();
