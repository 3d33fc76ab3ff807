// Draws the page from the server's replies.

const settings = JSON.parse(document.getElementById("settings").textContent);
const ALL = "all";

const at = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function makeSvg(tag, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

const colorOf = (expression) => `var(--class-${settings.expressions.indexOf(expression) % 8})`;
const percent = (probability) => `${Math.round(100 * probability)} %`;

function dot(expression) {
  const element = make("i", { className: "dot" });
  element.style.background = colorOf(expression);
  return element;
}

function say(words, { failed = false } = {}) {
  at("message").textContent = words;
  at("message").classList.toggle("failed", failed);
}

function drawTabs(tab) {
  const several = settings.models.length > 1;
  const together = several ? [{ name: ALL, title: "All models at once", error: null }] : [];
  const tabs = [...settings.models, ...together];
  const strip = at("tabs");
  strip.replaceChildren(
    ...tabs.map(({ name, title, error }) => {
      const button = make("button", { type: "button", textContent: name, title: error ?? title });
      button.setAttribute("role", "tab");
      button.setAttribute("aria-selected", name === tab);
      button.setAttribute("aria-controls", "panel");
      button.tabIndex = name === tab ? 0 : -1;
      button.dataset.tab = name;
      button.classList.toggle("missing", error !== null);
      return button;
    }),
  );
  if (strip.dataset.open === tab) return;
  // On a phone the strip is wider than the page: a tab that is opened comes to its middle.
  const { offsetLeft, offsetWidth } = strip.querySelector("[aria-selected=true]");
  strip.scrollLeft = offsetLeft - strip.offsetLeft - (strip.clientWidth - offsetWidth) / 2;
  strip.dataset.open = tab;
}

// Outlines each face, with its number where there are several.
function drawBoxes(found) {
  const boxes = at("boxes");
  if (!found) return boxes.replaceChildren();
  boxes.setAttribute("viewBox", `0 0 ${found.width} ${found.height}`);
  const unit = Math.max(found.width, found.height) / 100;
  boxes.replaceChildren(
    ...found.faces.flatMap(({ box: [x, y, width, height] }, number) => {
      const outline = { x, y, width, height, rx: unit, "stroke-width": unit * 0.7 };
      const shapes = [makeSvg("rect", { ...outline, class: "around" }), makeSvg("rect", outline)];
      if (found.faces.length > 1) {
        const size = 4 * unit;
        const top = Math.max(y, 0.3 * size);
        shapes.push(makeSvg("circle", { cx: x, cy: top, r: 0.7 * size }));
        shapes.push(makeSvg("text", { x, y: top, "font-size": size }, String(number + 1)));
      }
      return shapes;
    }),
  );
}

function drawBars(probabilities, set) {
  return make(
    "dl",
    { className: "odds" },
    ...settings.expressions.map((expression) => {
      const probability = probabilities[expression];
      const bar = make("i");
      bar.style.width = `${100 * probability}%`;
      bar.style.background = colorOf(expression);
      const row = make(
        "div",
        { className: set.includes(expression) ? "in" : "" },
        make("dt", { textContent: expression }),
        make("dd", { className: "bar" }, bar),
        make("dd", { textContent: percent(probability) }),
      );
      row.dataset.expression = expression;
      return row;
    }),
  );
}

function drawFace(face, number, found) {
  const image = make("img", { src: face.pixels, width: 48, height: 48 });
  image.alt = found.faces.length > 1 ? `Face ${number + 1}` : "The face, as the model sees it";
  const figure = make("figure", { className: "crop" }, image);
  if (found.faces.length > 1) figure.append(make("b", { textContent: number + 1 }));
  return figure;
}

// The most probable expression with its probability, and below it what else may be right.
function drawHeadline({ probabilities, set: [first, ...others] }) {
  const likely = make("span", { className: "likely", textContent: percent(probabilities[first]) });
  const headline = make("div", { className: "headline" }, make("h2", {}, dot(first), first, likely));
  if (!others.length) return headline;
  const all = others.length + 1 === settings.expressions.length;
  const words = all ? "any other" : others.join(", ");
  headline.append(make("p", { className: "others", textContent: `or ${words}` }));
  return headline;
}

// One model's prediction for one face.
function drawPrediction(face, number, found, { prediction, heat }) {
  const figure = drawFace(face, number, found);
  const card = make("article", { className: "card prediction" }, figure);
  card.append(make("div", {}, drawHeadline(prediction), drawBars(prediction.probabilities, prediction.set)));
  if (heat === undefined) return card;
  if (heat?.image) figure.append(make("img", { src: heat.image, className: "heat", alt: "" }));
  const words = heat === null ? "What it looked at" : "Hide what it looked at";
  const button = make("button", { type: "button", className: "plain", textContent: words });
  button.dataset.heat = number;
  figure.append(button);
  if (heat && !heat.image) {
    figure.append(make("p", { className: "note", textContent: "Too small a map to show a place." }));
  }
  return card;
}

// All models' predictions for one face, each a bar that its expressions share.
function drawComparison(face, number, found, rows) {
  const list = make("ul", { className: "models" });
  for (const { name, title, prediction, error } of rows) {
    const item = make("li", {}, make("span", { className: "title", textContent: name, title }));
    if (error) item.append(make("span", { className: "note", textContent: "missing" }));
    else if (!prediction) item.append(make("span", { className: "note", textContent: "…" }));
    else {
      item.append(make("span", { className: "words" }, drawHeadline(prediction)));
      const bar = make("div", { className: "shares" });
      for (const expression of settings.expressions) {
        const share = make("i", { title: `${expression} ${percent(prediction.probabilities[expression])}` });
        share.style.flexGrow = prediction.probabilities[expression];
        share.style.background = colorOf(expression);
        bar.append(share);
      }
      item.append(bar);
    }
    list.append(item);
  }
  return make("article", { className: "card prediction" }, drawFace(face, number, found), list);
}

function drawLegend() {
  const names = settings.expressions.map((name) => make("li", {}, dot(name), ` ${name}`));
  return make("ul", { className: "legend" }, ...names);
}

function drawWords(title, words) {
  return make(
    "div",
    { className: "nothing" },
    make("h2", { textContent: title }),
    make("p", { className: "note", textContent: words }),
  );
}
