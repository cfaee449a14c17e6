// Review by keyboard. A decision waits some seconds, in which it can be taken back; then it is sent, and it counts
// as made when the server has said yes. The next picture is loaded while one looks at this one.
(() => {
  "use strict";
  const at = (id) => document.getElementById(id);
  const stage = at("stage");
  if (!stage) return;
  const texts = JSON.parse(at("texts").textContent);
  const UNDO_MILLISECONDS = 4000, AHEAD = 2, PAGE = 100;
  const filter = stage.dataset.category, blurred = new Set(stage.dataset.blurred.split(" "));
  let queue = [], place = 0, cursor = "", outbox = null, done = 0, uncovered = new Set(), refusing = false;
  const details = new Map();

  const say = (text, values = {}) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const wordOf = (group, name) => texts[group][name] ?? name.replaceAll("_", " ");
  const element = (tag, text, kind) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  async function ask(path, options) {
    const answer = await presswork.call(path, options);
    if (answer.status === 401) location.assign("/console/sign-in?next=/console/review");
    const body = answer.status === 204 ? null : await answer.json();
    if (!answer.ok) throw Object.assign(new Error(body.detail), { code: body.code });
    return body;
  }
  const query = (more) => new URLSearchParams({ limit: PAGE, ...(filter ? { category: filter } : {}), ...more });

  async function more() {
    if (cursor === null) return;
    const page = await ask(`/v1/reviews?${query(cursor ? { cursor } : {})}`);
    cursor = page.next_cursor;
    const known = new Set(queue.map((item) => item.item_id));
    queue.push(...page.data.filter((item) => !known.has(item.item_id)));
  }

  /** What is known of a held picture, with a link to it. Links end, so that one is not kept for long. */
  function detail(item) {
    const known = details.get(item.item_id);
    if (known && known.until > Date.now()) return known.promise;
    const promise = ask(`/v1/reviews/${item.item_id}`).then((found) => {
      if (found.picture.url) new Image().src = found.picture.url;
      return found;
    });
    promise.catch(() => details.delete(item.item_id));
    details.set(item.item_id, { promise, until: Date.now() + 4 * 60 * 1000 });
    return promise;
  }

  /** Two reviewers do not meet: what another one is looking at goes behind the rest, once. */
  const mine = new Map(), put_off = new Set();
  let shown = null, turn = 0; // the picture on the screen, which alone is decided about; which drawing of it is the last
  async function claim(some) {
    const wanted = some.filter((item) => !(mine.get(item.item_id) > Date.now())).map((item) => item.item_id);
    if (!wanted.length) return;
    const body = JSON.stringify({ item_ids: wanted });
    const said = await ask("/v1/reviews/claims", { method: "POST", body, headers: { "Content-Type": "application/json" } });
    for (const id of said.claimed) mine.set(id, Date.parse(said.until) - 30_000);
    // What is in neither list was decided meanwhile: nobody looks at it any more.
    const decided = wanted.filter((id) => !said.claimed.includes(id) && !said.taken.includes(id));
    queue = queue.filter((item) => item === shown || !decided.includes(item.item_id));
    // Only what lies behind the picture on the screen moves: a key that is pressed meanwhile acts on what is seen.
    const from = shown === queue[place] ? place + 1 : place;
    const others = queue.slice(from).filter((item) => said.taken.includes(item.item_id) && !put_off.has(item.item_id));
    for (const item of others) put_off.add(item.item_id);
    queue = [...queue.filter((item) => !others.includes(item)), ...others];
  }

  async function show() {
    closeReasons();
    const own = ++turn;
    if (shown !== queue[place]) shown = null; // until it is drawn, nothing is decided
    for (let next = null; queue[place] && queue[place] !== next; ) {
      next = queue[place];
      await claim([next]).catch(() => {});
      if (turn !== own) return; // a later one draws
      if (place >= queue.length) place = Math.max(0, queue.length - 1);
    }
    if (!queue.length && cursor !== null) {
      await more().catch(() => {}); // the others of this page were decided meanwhile
      if (turn !== own) return;
      if (queue.length) return show();
    }
    const item = (shown = queue[place] ?? null);
    stage.classList.toggle("hidden", !item);
    at("empty").classList.toggle("hidden", Boolean(item));
    at("bulk").disabled = !item;
    if (!item) return;
    at("picture").removeAttribute("src");
    at("picture").alt = say(texts.review.alt, { name: item.custom_id });
    at("name").textContent = `${item.custom_id}${item.variant ? ` / ${item.variant}` : ""}`;
    at("prompt").textContent = item.prompt;
    at("request").textContent = `${item.request_name} · ${place + 1} / ${queue.length}${cursor === null ? "" : "+"}`;
    at("findings").replaceChildren(...item.findings.map(findingOf));
    at("votes").classList.toggle("hidden", item.people_needed < 2);
    at("votes").textContent = item.people_needed < 2 ? "" : say(item.reviews.length ? texts.review.second : texts.review.two);
    at("unreleasable").classList.toggle("hidden", item.releasable);
    at("unreleasable").textContent = item.why_not_releasable ?? "";
    at("release").disabled = !item.releasable;
    cover(item);
    const ahead = () => queue.slice(place + 1, place + 1 + AHEAD);
    claim(ahead()).catch(() => {}).then(() => ahead().forEach((next) => detail(next).catch(() => {})));
    try {
      const found = await detail(item);
      if (queue[place] !== item) return;
      if (found.picture.url) at("picture").src = found.picture.url;
      const scores = Object.entries(found.scores).sort((a, b) => b[1] - a[1]).slice(0, 5);
      at("scores-part").classList.toggle("hidden", !scores.length);
      at("scores").replaceChildren(...scores.flatMap(scoreOf));
    } catch (error) {
      presswork.toast(error.message, "bad");
    }
  }

  function findingOf(finding) {
    const line = element("li");
    line.append(element("strong", wordOf("category", finding.category)), element("span", say(texts.review.finding, { stage: wordOf("stage", finding.stage), rule: finding.rule })));
    if (finding.detail) line.append(element("span", finding.detail, "muted small"));
    return line;
  }
  function scoreOf([name, score]) {
    const meter = element("meter");
    meter.min = 0; meter.max = 1; meter.value = score;
    meter.setAttribute("aria-label", name);
    const shown = element("dd");
    shown.append(meter, element("span", `${Math.round(score * 100)} %`));
    return [element("dt", name.split("@")[0]), shown]; // without the digest of its list of sentences
  }
  function cover(item) {
    const covered = item.categories.some((category) => blurred.has(category)) !== uncovered.has(item.item_id);
    at("picture").classList.toggle("covered", covered);
    at("blur").setAttribute("aria-pressed", String(covered));
  }

  function decide(decision, comment) {
    const item = queue[place];
    if (!item || item !== shown || (decision === "release" && !item.releasable)) return;
    send(); // the one before has waited long enough
    queue.splice(place, 1);
    outbox = { item, decision, place, comment: at("comment").value.trim() || comment, timer: setTimeout(send, UNDO_MILLISECONDS) };
    at("comment").value = "";
    const line = element("p");
    const undo = element("button", `${texts.review.undo} `);
    undo.append(element("kbd", "U"));
    undo.addEventListener("click", takeBack);
    line.append(element("span", say(texts.review[`will_${decision}`], { name: item.custom_id })), undo);
    at("outbox").replaceChildren(line);
    if (place >= queue.length) place = Math.max(0, queue.length - 1);
    if (queue.length - place < 10) more().then(() => queue.length && !at("picture").src && show()).catch(() => {});
    show();
  }
  function takeBack() {
    if (!outbox) return;
    clearTimeout(outbox.timer);
    queue.splice(outbox.place, 0, outbox.item);
    place = outbox.place;
    outbox = null;
    at("outbox").replaceChildren(element("p", texts.review.taken_back));
    show();
  }
  async function send() {
    const made = outbox;
    if (!made) return;
    outbox = null;
    clearTimeout(made.timer);
    at("outbox").replaceChildren(element("p", say(texts.review.sending, { name: made.item.custom_id })));
    const body = JSON.stringify({ decision: made.decision, comment: made.comment, sha256: made.item.sha256 });
    // The key makes a repeat of this very decision harmless.
    const headers = { "Content-Type": "application/json", "Idempotency-Key": `review-${made.item.item_id}-${Date.now()}` };
    try {
      await ask(`/v1/reviews/${made.item.item_id}`, { method: "POST", body, headers, keepalive: true });
      done += 1;
      at("done").textContent = say(texts.review.done, { count: done });
      if (!outbox) at("outbox").replaceChildren(element("p", say(texts.review[`has_${made.decision}`], { name: made.item.custom_id }), "yes"));
    } catch (error) {
      presswork.toast(`${made.item.custom_id}: ${error.message}`, "bad");
      if (!outbox) at("outbox").replaceChildren();
      if (error.code !== "conflict") queue.splice(Math.min(made.place, queue.length), 0, made.item);
      if (queue[place] !== shown) show();
    }
  }

  function openReasons() {
    if (!queue[place]) return;
    refusing = true;
    at("reasons").classList.remove("hidden");
    at("reasons").querySelector("button").focus();
  }
  function closeReasons() {
    if (refusing && at("reasons").contains(document.activeElement)) at("name").focus();
    refusing = false;
    at("reasons").classList.add("hidden");
  }
  function refuse(reason) {
    closeReasons();
    decide("refuse", texts.reason[reason]);
  }
  function move(steps) {
    const to = Math.min(Math.max(0, place + steps), queue.length - 1);
    if (to === place) return;
    place = to;
    if (queue.length - place < 10) more().catch(() => {});
    show();
  }
  function full() {
    const { src } = at("picture");
    if (!src || at("picture").classList.contains("covered")) return;
    at("full-picture").src = src;
    at("full").showModal();
  }
  function toggle() {
    const item = queue[place];
    if (!item) return;
    if (!uncovered.delete(item.item_id)) uncovered.add(item.item_id);
    cover(item);
  }

  /** All of the filter are refused: the count first, then in lots, each with the digest that the list told. */
  async function bulk() {
    send();
    while (cursor !== null) await more();
    at("ask-title").textContent = say(texts.review.bulk, { count: queue.length, filter: filter ? wordOf("category", filter) : texts.review.everything });
    at("ask").returnValue = "";
    at("ask").showModal();
  }
  at("ask").addEventListener("close", async () => {
    if (at("ask").returnValue !== "yes") return;
    const all = queue.splice(0);
    place = 0;
    for (let from = 0; from < all.length; from += PAGE) {
      const decisions = all.slice(from, from + PAGE).map((item) => ({ item_id: item.item_id, decision: "refuse", comment: texts.review.bulk_comment, sha256: item.sha256 }));
      try {
        const answer = await ask("/v1/reviews", { method: "POST", body: JSON.stringify({ decisions }), headers: { "Content-Type": "application/json" } });
        const wrong = answer.results.filter((one) => one.status !== 200);
        done += answer.results.length - wrong.length;
        if (wrong.length) presswork.toast(say(texts.review.bulk_wrong, { count: wrong.length }), "bad");
      } catch (error) {
        presswork.toast(error.message, "bad");
      }
    }
    at("done").textContent = say(texts.review.done, { count: done });
    show();
  });

  const actions = {
    j: () => move(1), arrowright: () => move(1), k: () => move(-1), arrowleft: () => move(-1),
    p: () => decide("release", texts.review.release_comment), x: openReasons, u: takeBack, z: full, b: toggle,
    c: () => at("comment").focus(), "?": () => at("keys").showModal(), escape: closeReasons,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const name = event.key.toLowerCase();
    if (event.target.matches("input, select, textarea")) {
      if (name === "escape") at("name").focus();
      return;
    }
    if (refusing && /^[1-9]$/.test(event.key)) {
      const reason = at("reasons").querySelectorAll("button")[Number(event.key) - 1];
      event.preventDefault();
      refuse(reason.dataset.reason);
    } else if (actions[name]) {
      event.preventDefault();
      actions[name]();
    }
  });
  at("release").addEventListener("click", actions.p);
  at("refuse").addEventListener("click", openReasons);
  at("blur").addEventListener("click", toggle);
  at("zoom").addEventListener("click", full);
  at("back").addEventListener("click", actions.k);
  at("next").addEventListener("click", actions.j);
  at("help").addEventListener("click", actions["?"]);
  at("bulk").addEventListener("click", () => bulk().catch((error) => presswork.toast(error.message, "bad")));
  at("reasons").addEventListener("click", (event) => {
    const reason = event.target.closest("button")?.dataset.reason;
    if (reason) refuse(reason);
  });
  addEventListener("pagehide", send);
  more().then(show).catch((error) => presswork.toast(error.message, "bad"));
})();
