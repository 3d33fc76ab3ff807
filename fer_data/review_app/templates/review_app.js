// What the keys do. What stands is in the server's file; this page holds only where the person is.

const TILES = 24;
const AHEAD = 6;
const BY_NUMBER = settings.expressions.map((name, place) => [String(place + 1), name]);
const BUTTONS = [...BY_NUMBER, ...settings.others.map((name) => [{ keep: "k", drop: "x" }[name], name])];
const DECISIONS = Object.fromEntries(BUTTONS);

let grid = false;
let place = 0; // of the face, or of the first tile, among those that wait
let revealed = settings.show_suggestion;
let writing = null; // resolves when the call that writes has ended, to whether it went well
let writes = 0;
let answering = true;
let lost = null; // the call that was writing when the review app ceased to answer
let loaded = false; // whether the queue has come
let untold = false; // whether the end screen lacks the session's summary
let telling = false; // whether the review app is being asked for it
const selected = new Set();
const done = []; // what this page decided, for `u`: lists of pixel hashes, a list a key

async function call(verb, ...data) {
  const body = JSON.stringify({ data });
  const headers = { "Content-Type": "application/json" };
  let response, reply;
  try {
    response = await fetch(`/gradio_api/run/${verb}`, { method: "POST", headers, body });
    reply = await response.json();
  } catch {
    answering = false;
    if (verb === "decide" || verb === "undo") lost = { verb, hashes: data[0], decision: data[1] };
    throw new Error("The review app does not answer: is “ferflow review” still running?");
  }
  if (!answering) say("The review app answers again.");
  answering = true;
  if (verb === "decide" || verb === "undo") lost = null; // the reply shows what stands
  if (!response.ok) throw new Error(reply.error ?? "The review app failed: its terminal says why.");
  return reply.data[0];
}

// One call at a time: a key that is pressed while another is being written decides nothing.
function alone(task) {
  if (writing) return;
  writes += 1;
  writing = (async () => {
    try {
      await task();
      return true;
    } catch (error) {
      say(error.message, { failed: true });
      return false;
    } finally {
      writing = null;
    }
  })();
  return writing;
}

async function load() {
  ({ faces, decided } = await call("queue"));
  loaded = true;
  prefetch(faces.slice(0, 1));
  draw();
  if (!annotator) ask();
}

function draw() {
  const wait = waiting();
  // Past the end stand again those that were passed over.
  if (place >= wait.length) place = grid ? Math.max(0, wait.length - TILES) : 0;
  at("single").hidden = grid || !wait.length;
  at("grid").hidden = !grid || !wait.length;
  at("nothing").hidden = wait.length > 0;
  document.body.classList.toggle("in-grid", grid);
  at("mode").replaceChildren(grid ? "One face " : "Grid ", make("kbd", { textContent: "g" }));
  drawProgress(faces, decided, issueType);
  if (!wait.length) {
    drawNothing(faces.length, faces.some(waits));
    return tellSession();
  }
  if (grid) {
    const shown = wait.slice(place, place + TILES);
    const focus = document.activeElement?.dataset?.face;
    const hashes = new Set(shown.map((face) => face.pixel_hash));
    for (const hash of selected) if (!hashes.has(hash)) selected.delete(hash);
    at("grid-place").textContent = `${place + 1}–${place + shown.length} of ${wait.length}`;
    drawTiles(shown, selected, { revealed, together });
    document.querySelector(`.tile[data-face="${focus}"]`)?.focus();
  } else {
    const face = wait[place];
    drawFace(face, revealed);
    drawDuplicates(face, { copies: copies(face), decided, singly: singly.has(face.near_group) });
  }
  const step = grid ? TILES : 1;
  prefetch(wait.slice(place + step, place + step + (grid ? TILES : AHEAD)));
}

// What was done since the review app was started, where nothing waits any more. It comes when it comes.
async function tellSession() {
  untold = !faces.some(waits);
  if (!untold) at("session").textContent = "";
  if (!untold || telling) return;
  telling = true;
  while (untold) {
    untold = false; // what is decided from here on asks once more
    try {
      const words = await call("summary");
      if (!faces.some(waits)) at("session").textContent = words;
    } catch {
      untold = true;
      break; // `refresh` says what is wrong, and asks again
    }
  }
  telling = false;
}

function choose(name) {
  issueType = name;
  go(0);
}

// Moves on; what was revealed or selected there stays there.
function go(to) {
  place = to;
  revealed = settings.show_suggestion;
  selected.clear();
  draw();
}

function move(step) {
  const shown = waiting().slice(place, place + (grid ? TILES : 1));
  const passed = shown.flatMap(together).map((face) => face.pixel_hash);
  if (step > 0) call("skip", passed).catch(() => {}); // for the summary alone: `refresh` says what is wrong
  const to = place + step * (grid ? TILES : 1);
  if (to < 0) say("This is the first one.");
  else if (to >= waiting().length) say("This is the last one.");
  else go(to);
  refresh();
}

function decide(decision) {
  const chosen = grid ? [...selected].map(faceOf) : waiting().slice(place, place + 1);
  if (!chosen.length) return say(grid ? "Choose faces first." : "Nothing waits.");
  if (!annotator) return ask();
  const those = chosen.flatMap((face) => meant(face, decision));
  const left = chosen.flatMap(together).length - those.length;
  return alone(async () => {
    const hashes = those.map((face) => face.pixel_hash);
    decided = await call("decide", hashes, decision, annotator);
    done.push(hashes);
    go(place);
    const [first] = those;
    const what = those.length > 1 ? `${those.length} faces` : `#${first.rank}, ${first.label}`;
    const rest = left ? `; ${left} labeled otherwise ${left > 1 ? "wait" : "waits"}` : "";
    say(`${what} → ${decision}${rest}. u takes it back.`);
  });
}

// Takes back what was decided last, or is being written now; nothing where that write fails.
async function undo() {
  while (writing) if (!(await writing)) return;
  const back = done.at(-1) ?? decidedLast();
  if (!back.length) return say("You have decided nothing that could be taken back.");
  return alone(async () => {
    try {
      decided = await call("undo", back, annotator);
    } finally {
      if (answering) done.pop(); // refused, it is not to be tried again
    }
    if (placeOf(back[0]) < 0) issueType = "";
    go(Math.max(0, placeOf(back[0])));
    say(back[0] in decided ? "Taken back; an earlier decision stands." : "Taken back.");
  });
}

// Says whether what was being written when the review app ceased to answer stands in its file.
function sayOfLost(now) {
  const { verb, hashes, decision } = lost;
  const written = hashes.every((hash) => JSON.stringify(now[hash]) !== JSON.stringify(decided[hash]));
  const faces = hashes.length > 1 ? `${hashes.length} faces` : `#${faceOf(hashes[0])?.rank}`;
  const what = verb === "undo" ? `u on ${faces}` : `${faces} → ${decision}`;
  say(`The review app answers again: ${what} was ${written ? "" : "not "}written.`, { failed: !written });
  if (written && verb === "decide") done.push(hashes);
  if (written && verb === "undo") done.pop();
  lost = null;
}

// What other review apps have decided leaves this one too.
async function refresh() {
  if (writing || document.hidden) return;
  if (!loaded) return alone(load);
  const before = writes;
  try {
    const now = await call("decided");
    if (lost) sayOfLost(now);
    // What a key has written meanwhile is newer.
    if (writes === before && JSON.stringify(now) !== JSON.stringify(decided)) adopt(now);
    if (untold && !telling) tellSession();
  } catch (error) {
    say(error.message, { failed: true });
  }
}

// Shows the same face again if it still waits, and else the next one.
function adopt(now) {
  decided = now;
  const to = placeOf(at("single").dataset.face);
  if (grid) return draw();
  if (to < 0) return go(place);
  place = to;
  draw();
}

// From near-duplicates all at once to one by one, and back.
function toggleSingly() {
  const { face } = at("single").dataset;
  const { near_group } = faceOf(face);
  if (!singly.delete(near_group)) singly.add(near_group);
  place = placeOf(face);
  draw();
}

function toggle(hash) {
  if (!selected.delete(hash)) selected.add(hash);
  const tile = document.querySelector(`.tile[data-face="${hash}"]`);
  tile.setAttribute("aria-pressed", selected.has(hash));
}

function toggleAll() {
  const tiles = [...document.querySelectorAll(".tile")].map((tile) => tile.dataset.face);
  const all = tiles.every((hash) => selected.has(hash));
  for (const hash of tiles) if (selected.has(hash) === all) toggle(hash);
}

// From tile to tile by arrows, and past the last one to the next faces.
function walk(key) {
  const tiles = [...document.querySelectorAll(".tile")];
  const columns = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const from = tiles.indexOf(document.activeElement);
  const to = from < 0 ? 0 : from + step;
  if (tiles[to]) return tiles[to].focus();
  move(Math.sign(step));
  const others = document.querySelectorAll(".tile");
  others[step > 0 ? 0 : others.length - 1]?.focus();
}

function ask() {
  at("who").querySelector("input").value = annotator;
  at("who").showModal();
}

function press(key) {
  if (key in DECISIONS) return decide(DECISIONS[key]);
  if (key === "u") return undo();
  if (key === "g") {
    grid = !grid;
    return go(place);
  }
  if (key === "s") {
    revealed = !revealed;
    return draw();
  }
  if (grid && key === "a") return toggleAll();
  if (!grid && key === "t" && !at("together").hidden) return toggleSingly();
  if (key.startsWith("Arrow")) {
    if (grid) return walk(key);
    return move({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0);
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || at("who").open) return;
  if (event.repeat && !event.key.startsWith("Arrow")) return;
  if (event.key.startsWith("Arrow")) event.preventDefault();
  press(event.key.length === 1 ? event.key.toLowerCase() : event.key);
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.decision) decide(button.dataset.decision);
  if (button?.dataset.key) press(button.dataset.key);
  if (button?.dataset.move) move(Number(button.dataset.move));
  if (button?.dataset.face) toggle(button.dataset.face);
});
at("mode").addEventListener("click", () => press("g"));
at("show-all").addEventListener("click", () => choose(""));
at("annotator").addEventListener("click", () => settings.annotator || ask());
at("who").addEventListener("cancel", (event) => annotator || event.preventDefault());
at("who").firstElementChild.addEventListener("submit", (event) => {
  event.preventDefault();
  annotator = event.target.elements.name.value.trim();
  localStorage.setItem("annotator", annotator);
  at("annotator").textContent = annotator;
  at("who").close();
});
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 2000);

annotator ||= localStorage.getItem("annotator") ?? "";
at("annotator").textContent = annotator || "Who?";
drawKeys(BUTTONS);
drawFilter(choose);
alone(load);
