// The camera: its live image on the stage, and single frames of it as files.

const LIVE_WIDTH = 640;

let stream = null;

async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error("This browser gives pages no camera.");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  } catch {
    throw new Error("There is no camera here, or the browser was told not to show it to this page.");
  }
  at("video").srcObject = stream;
  await at("video").play();
}

function closeCamera() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  at("video").srcObject = null;
}

// A frame as a JPEG file, at most so many pixels wide.
function frame(width = Infinity) {
  const video = at("video");
  const scale = Math.min(1, width / video.videoWidth);
  const canvas = make("canvas");
  canvas.width = Math.round(scale * video.videoWidth);
  canvas.height = Math.round(scale * video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
}
