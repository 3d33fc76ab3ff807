// What waits, and whom a key decides. Near-duplicates are one question, unless the person takes them one by one.

let faces = []; // the queue, the lowest label quality first, near-duplicates next to each other
let decided = {}; // what stands, by pixel hash, the latest last
let annotator = settings.annotator;
let issueType = "";
const singly = new Set(); // the near groups that are taken one by one

const waits = (face) => !(face.pixel_hash in decided);
const faceOf = (hash) => faces.find((face) => face.pixel_hash === hash);

// The faces to show: of near-duplicates, the first.
function waiting() {
  const asked = new Set();
  return faces.filter((face) => {
    if (!waits(face) || (issueType && face.issue_type !== issueType)) return false;
    if (!singly.has(face.near_group) && asked.has(face.near_group)) return false;
    return asked.add(face.near_group);
  });
}

// A face and those of its near-duplicates that wait too, whatever their issue; the face first.
function copies(face) {
  const others = faces.filter((other) => other.near_group === face.near_group && other !== face);
  return [face, ...others.filter(waits)];
}

// The faces that a key on one of them decides.
const together = (face) => (singly.has(face.near_group) ? [face] : copies(face));

// `keep` says that the label is right: it is no answer for a copy with another one.
const meant = (face, decision) =>
  together(face).filter((one) => decision !== "keep" || one.label === face.label);

// Where a face shows among those that wait, or the near-duplicate that stands for it; else -1.
function placeOf(hash) {
  const [wait, face] = [waiting(), faceOf(hash)];
  const itself = wait.indexOf(face);
  return itself < 0 ? wait.findIndex((one) => one.near_group === face?.near_group) : itself;
}

// What the annotator decided last, by one key: near-duplicates in the same second, the last first.
function decidedLast() {
  const own = Object.keys(decided).filter((hash) => decided[hash].annotator === annotator);
  const trace = (hash) => {
    const { decision, decided_at } = decided[hash];
    return [faceOf(hash).near_group, decision, decided_at].join();
  };
  return own.filter((hash) => trace(hash) === trace(own.at(-1))).reverse();
}
