// Handles what a person does, and calls the server. The page alone remembers the image.

let tab = settings.first;
let image = null; // a file
let found = null; // its faces
let turn = 0; // of images: a reply about an earlier one comes too late
let predictions = new Map(); // by model, a list of one a face
let failures = new Map(); // by model, in words
let heats = new Map(); // by model and face

async function call(verb, ...data) {
  const body = JSON.stringify({ data });
  const headers = { "Content-Type": "application/json" };
  const response = await reach(`/gradio_api/run/${verb}`, { method: "POST", headers, body });
  const reply = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(reply.error ?? "The app failed: its terminal says why.");
  return reply.data[0];
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Error("The app does not answer: is “ferflow app” still running?");
  }
}

async function find(file, whole) {
  const most = settings.most_bytes;
  const tooLarge = `The file is too large: expected at most ${Math.round(most / 1e6)} MB.`;
  if (file.size > most) throw new Error(tooLarge);
  const form = new FormData();
  form.append("files", file, file.name ?? "frame.jpg");
  const response = await reach("/gradio_api/upload", { method: "POST", body: form });
  if (response.status === 413) throw new Error(tooLarge);
  if (!response.ok) throw new Error("The file could not be sent to the app.");
  const [path] = await response.json();
  return call("find", { path, meta: { _type: "gradio.FileData" } }, whole);
}

function forget() {
  turn += 1;
  [found, predictions, failures, heats] = [null, new Map(), new Map(), new Map()];
  return turn;
}

// An image, from wherever it comes: its faces, then the predictions of the open tab's models.
async function take(file, { whole = false } = {}) {
  const mine = forget();
  stopLive();
  image = file;
  show(file);
  say("Looking for faces…");
  draw();
  try {
    const reply = await find(file, whole);
    if (mine !== turn) return;
    found = reply;
    say(inWords(found, whole));
  } catch (error) {
    if (mine === turn) say(error.message, { failed: true });
  }
  draw();
  await predict();
}

function inWords({ faces, num_found }, whole) {
  if (whole) return "Read as one face, whatever it shows.";
  if (!faces.length) return "No face found. If the image is a face, let all of it be read as one.";
  if (num_found > faces.length) return `${num_found} faces found; the ${faces.length} surest are read.`;
  return faces.length > 1 ? `${faces.length} faces found.` : "One face found.";
}

// Lets the models of the open tab predict that have not yet, one after the other.
async function predict() {
  const mine = turn;
  const names = tab === ALL ? settings.models.map((model) => model.name) : [tab];
  for (const name of names) {
    const { error } = settings.models.find((model) => model.name === name);
    if (error || !found?.faces.length || predictions.has(name) || failures.has(name)) continue;
    at("panel").setAttribute("aria-busy", "true");
    try {
      const reply = await call("ask", found.faces.map((face) => face.pixels), name);
      if (mine !== turn) return;
      predictions.set(name, reply);
    } catch (error) {
      if (mine !== turn) return;
      failures.set(name, error.message);
    }
    draw();
  }
  if (mine === turn) at("panel").setAttribute("aria-busy", "false");
}

function show(file) {
  URL.revokeObjectURL(at("image").src);
  at("image").src = URL.createObjectURL(file);
  at("image").hidden = false;
  at("video").hidden = true;
}

function draw() {
  const live = stream !== null;
  at("drop").hidden = live || image !== null;
  at("frame").hidden = !at("drop").hidden;
  at("other").hidden = !live && image === null;
  at("paste").hidden = live;
  at("camera").textContent = live ? "Close the camera" : "Camera";
  at("shoot").hidden = !live;
  at("whole").hidden = live || !found || found.faces.length > 0;
  drawBoxes(found);
  drawTabs(tab);
  at("panel").replaceChildren(...panel());
}

function panel() {
  const model = settings.models.find(({ name }) => name === tab);
  if (model?.error) return [drawWords("This model is missing", model.error)];
  if (failures.has(tab)) return [drawWords("This model cannot predict", failures.get(tab))];
  if (!found) return [drawWords("No image yet", "Each face in it gets its bars here.")];
  if (!found.faces.length) return [drawWords("No face found", "Nothing is read where no face is.")];
  if (tab === ALL) {
    const rows = (number) =>
      settings.models.map(({ name, title, error }) => {
        const prediction = predictions.get(name)?.[number];
        return { name, title, error: error ?? failures.get(name), prediction };
      });
    const cards = found.faces.map((face, number) => drawComparison(face, number, found, rows(number)));
    return [drawLegend(), ...cards];
  }
  if (!predictions.has(tab)) return [drawWords("Predicting…", "The first time, the model is loaded.")];
  const cards = found.faces.map((face, number) => {
    const heat = stream ? undefined : (heats.get(`${tab} ${number}`) ?? null);
    return drawPrediction(face, number, found, { prediction: predictions.get(tab)[number], heat });
  });
  return [make("p", { className: "note", textContent: model.title }), ...cards];
}

function open(name) {
  tab = name;
  draw();
  predict();
}

async function toggleHeat(number) {
  const key = `${tab} ${number}`;
  if (heats.delete(key)) return draw();
  const mine = turn;
  try {
    const heat = await call("heat_map", found.faces[number].pixels, tab);
    if (mine === turn) heats.set(key, heat);
    draw();
  } catch (error) {
    say(error.message, { failed: true });
  }
}

// Frame after frame, each when the one before is read, by the open tab's model.
async function live() {
  try {
    await openCamera();
  } catch (error) {
    return say(error.message, { failed: true });
  }
  forget();
  image = null;
  at("image").hidden = true;
  at("video").hidden = false;
  draw();
  while (stream) {
    const mine = ++turn;
    const model = settings.models.find(({ name, error }) => name === tab && !error);
    try {
      const reply = await find(await frame(LIVE_WIDTH), false);
      const faces = reply.faces.map((face) => face.pixels);
      const predicted = model && faces.length ? await call("ask", faces, model.name) : [];
      if (!stream || mine !== turn) return;
      [found, predictions] = [reply, new Map(model ? [[model.name, predicted]] : [])];
      say(inWords(found, false));
    } catch (error) {
      if (!stream || mine !== turn) return;
      say(error.message, { failed: true });
    }
    draw();
    await new Promise(requestAnimationFrame);
  }
}

function stopLive() {
  if (stream) closeCamera();
}

async function paste() {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith("image/"));
      if (type) return take(await item.getType(type));
    }
    say("There is no image on the clipboard.", { failed: true });
  } catch {
    say("The browser does not let this page read the clipboard: press Ctrl+V.", { failed: true });
  }
}

const imageAmong = (files) => {
  if (files?.length) take(files[0]);
};

at("file").addEventListener("change", (event) => {
  imageAmong(event.target.files);
  event.target.value = "";
});
at("other").addEventListener("click", () => at("file").click());
at("paste").addEventListener("click", paste);
at("whole").addEventListener("click", () => take(image, { whole: true }));
at("shoot").addEventListener("click", async () => take(await frame()));
at("camera").addEventListener("click", () => {
  if (!stream) return live();
  stopLive();
  forget();
  say("");
  draw();
});
at("stage").addEventListener("dragover", (event) => event.preventDefault());
at("stage").addEventListener("drop", (event) => {
  event.preventDefault();
  imageAmong(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => imageAmong(event.clipboardData.files));
at("panel").addEventListener("click", (event) => {
  const button = event.target.closest("[data-heat]");
  if (button) toggleHeat(Number(button.dataset.heat));
});
at("tabs").addEventListener("click", (event) => {
  const button = event.target.closest("[data-tab]");
  if (button) open(button.dataset.tab);
});
at("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const tabs = [...at("tabs").children];
  const to = tabs[tabs.indexOf(document.activeElement) + step];
  if (!to) return;
  open(to.dataset.tab);
  at("tabs").querySelector("[aria-selected=true]").focus();
});

draw();
