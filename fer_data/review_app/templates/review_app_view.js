// Draws: faces, tiles, progress, buttons. Whatever comes from the archive goes in as text, never as HTML.

const settings = JSON.parse(document.getElementById("settings").textContent);
const at = (id) => document.getElementById(id);
const ISSUE_TYPES = { wrong: "wrong label?", ambiguous: "ambiguous?", non_face: "no face?" };
const images = new Map();

const url = (hash) => `/faces/${hash}.png`;

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// A label with its color, which is the same everywhere on the page.
function named(label) {
  const dot = make("i", { className: "dot" });
  const place = settings.expressions.indexOf(label);
  if (place >= 0) dot.style.background = `var(--class-${place % 8})`;
  return make("span", { className: "named" }, dot, label);
}

// Fetches and decodes images before they are needed.
function prefetch(faces) {
  for (const { pixel_hash, neighbors, duplicates } of faces) {
    for (const hash of [pixel_hash, ...[...duplicates, ...neighbors].map((other) => other.pixel_hash)]) {
      if (images.has(hash)) continue;
      const image = Object.assign(new Image(), { src: url(hash) });
      image.decode().catch(() => images.delete(hash));
      images.set(hash, image);
    }
  }
}

function drawFace(face, revealed) {
  at("face").src = url(face.pixel_hash);
  at("single").dataset.face = face.pixel_hash;
  at("label").replaceChildren(named(face.label));
  at("issue").textContent = `#${face.rank} · ${ISSUE_TYPES[face.issue_type] ?? face.issue_type}`;
  at("path").textContent = face.path;
  at("suggestion").hidden = !revealed;
  at("suggestion").replaceChildren(...(revealed ? ["Suggested: ", named(face.suggested_label)] : []));
  document.querySelector(".suggestion [data-key]").hidden = revealed;
  small("neighbors", face.neighbors, (other) => [url(other.pixel_hash), named(other.label)]);
}

// The same image elsewhere: first the copies that wait, which a key decides too unless they are taken singly.
function drawDuplicates(face, { copies, decided, singly }) {
  const waiting = new Set(copies.slice(1).map((other) => other.pixel_hash));
  const isWaiting = (duplicate) => waiting.has(duplicate.pixel_hash);
  const duplicates = [...face.duplicates].sort((one, other) => isWaiting(other) - isWaiting(one));
  small("duplicates", duplicates, (duplicate) => [
    url(duplicate.pixel_hash),
    duplicate.label === null ? "in Testing" : named(duplicate.label),
    { title: duplicate.path, className: isWaiting(duplicate) && !singly ? "with" : "" },
    ...(duplicate.pixel_hash in decided ? [` → ${decided[duplicate.pixel_hash].decision}`] : []),
  ]);
  const labels = new Set(copies.map((one) => one.label));
  at("together").hidden = copies.length === 1;
  at("together-words").textContent = singly
    ? `${copies.length} wait, one by one.`
    : `A key decides all ${copies.length}${labels.size > 1 ? `; keep, those labeled ${face.label}` : ""}.`;
  at("step-words").textContent = singly ? "All at once" : "One by one";
}

function small(id, others, show) {
  at(id).hidden = others.length === 0;
  at(id).querySelector("ul").replaceChildren(
    ...others.map((other) => {
      const [src, caption, properties = {}, ...more] = show(other);
      const image = make("img", { src, width: 48, height: 48, alt: "" });
      const words = make("figcaption", {}, caption, ...more);
      return make("li", properties, make("figure", {}, image, words));
    }),
  );
}

function drawTiles(faces, selected, { revealed, together }) {
  const tiles = faces.map((face) => {
    const tile = make(
      "button",
      { type: "button", className: "tile", title: face.path },
      make("img", { src: url(face.pixel_hash), width: 48, height: 48, alt: "" }),
      named(face.label),
      ...manyOf(together(face)),
      ...(revealed ? [make("span", { className: "hint" }, "→ ", named(face.suggested_label))] : []),
    );
    tile.dataset.face = face.pixel_hash;
    tile.setAttribute("aria-pressed", selected.has(face.pixel_hash));
    return make("li", {}, tile);
  });
  at("tiles").replaceChildren(...tiles);
}

// How many copies a tile stands for, where it is more than one.
function manyOf(copies) {
  if (copies.length === 1) return [];
  const title = `copies that wait: ${copies.map((one) => one.label).join(", ")}`;
  return [make("span", { className: "many", title, textContent: `×${copies.length}` })];
}

// Why no face shows: of `number` in the queue, `some` may wait, with other issues.
function drawNothing(number, some) {
  const { share } = settings;
  let words = ["All decided", "Thank you. Commit data/relabels.csv and run “dvc repro”: it rebuilds what the decisions change."];
  if (share) words[1] = `Thank you: share ${share} is done. Commit data/relabels.csv. When all shares are merged, run “dvc repro”.`;
  if (!number && share) words = ["Nothing to decide", `Share ${share} has no face of the queue.`];
  else if (!number) words = ["The queue is empty", "No label quality is low enough for a look. “dvc repro review_queue” queues more."];
  if (some) words = ["None with this issue", "Every face with this issue is decided; others wait."];
  const [title, text] = at("nothing").children;
  [title.textContent, text.textContent] = words;
  at("show-all").hidden = !some;
}

// A button an issue, which shows the faces with that issue alone.
function drawFilter(choose) {
  const chips = ["", ...settings.issue_types].map((issueType) => {
    const chip = make("button", { type: "button", onclick: () => choose(issueType) });
    chip.dataset.issueType = issueType;
    return chip;
  });
  at("filter").replaceChildren(...chips);
}

function drawProgress(faces, decided, issueType) {
  for (const chip of at("filter").children) {
    const those = faces.filter((face) => !chip.dataset.issueType || face.issue_type === chip.dataset.issueType);
    const done = those.filter((face) => face.pixel_hash in decided).length;
    chip.textContent = `${ISSUE_TYPES[chip.dataset.issueType] ?? "all"} ${done} of ${those.length}`;
    chip.setAttribute("aria-pressed", chip.dataset.issueType === issueType);
    if (chip.dataset.issueType) continue;
    const meter = at("decided-bar").parentElement;
    at("decided-bar").style.width = `${those.length ? (100 * done) / those.length : 0}%`;
    meter.setAttribute("aria-valuemax", those.length);
    meter.setAttribute("aria-valuenow", done);
  }
}

// The big buttons: [key, decision] each, and one that takes the last decision back.
function drawKeys(decisions) {
  const buttons = [...decisions, ["u", "undo"]].map(([key, words]) => {
    const known = settings.expressions.includes(words);
    const caption = known ? named(words) : words;
    const hint = key.length === 1 ? [make("kbd", {}, key)] : []; // past nine classes, no key is left
    const button = make("button", { type: "button" }, ...hint, caption);
    button.dataset[words === "undo" ? "key" : "decision"] = words === "undo" ? key : words;
    button.setAttribute("aria-keyshortcuts", key);
    return button;
  });
  at("keys").replaceChildren(...buttons);
}

function say(message, { failed = false } = {}) {
  if (at("message").textContent !== message) at("message").textContent = message;
  at("message").classList.toggle("failed", failed);
}
