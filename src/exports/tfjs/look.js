const CDN = "https://cdn.jsdelivr.net/npm/@tensorflow/tfjs@4.22.0/dist/tf.min.js";
const CDN_HASH = "sha384-vE8hbVJ4lezako5rlvE7bY0BVzWlFhZncPlckrqNwcUQpVtgbENTgZ8TBbnPjZre";
const MOST_SHOWN = 10;
const $ = id => document.getElementById(id);
const chosen = new Map(); // files that were chosen by hand, by name
let about, model;

const say = text => { $("status").textContent = text; };

async function bytesOf(name) {
  if (chosen.has(name)) return chosen.get(name).arrayBuffer();
  const got = await fetch(name);
  if (!got.ok) throw new Error(`${name}: ${got.status} ${got.statusText}`);
  return got.arrayBuffer();
}

function script(src, integrity) {
  return new Promise((done, failed) => {
    const s = Object.assign(document.createElement("script"), {src, onload: done, onerror: () => {
      failed(new Error("TensorFlow.js is neither beside this page (tf.min.js, from the package " +
        "@tensorflow/tfjs) nor to be had from the network"));
    }});
    if (integrity) Object.assign(s, {integrity, crossOrigin: "anonymous"});
    document.head.append(s);
  });
}

async function loadModel() {
  const json = JSON.parse(new TextDecoder().decode(await bytesOf("model.json")));
  const group = json.weightsManifest[0];
  const weightData = await new Blob(await Promise.all(group.paths.map(bytesOf))).arrayBuffer();
  about = json.userDefinedMetadata;
  about.output = Object.keys(json.signature.outputs)[0];
  if (!window.tf) await script("tf.min.js").catch(() => script(CDN, CDN_HASH));
  await tf.ready();
  model = await tf.loadGraphModel({load: async () => ({...json, weightSpecs: group.weights, weightData})});
}

// What the network says of pixels as prepare() makes them: a number a class.
async function answer(pixels) {
  const {input, model: {target}} = about, {width, height} = input;
  // Behind the placeholder and what makes floats of bytes and turns planes: fractions of pixels stay.
  const at = input.layout === "NCHW" ? "image/nhwc" : input.dtype === "uint8" ? "image/float" : "image";
  const given = tf.tensor4d(pixels, [1, height, width, 3]);
  const made = model.execute({[at]: given}, about.output);
  const flat = about.output !== "logits" ? made : target === "labels" ? made.sigmoid() : made.softmax();
  const numbers = await flat.data();
  tf.dispose([given, made, flat]);
  return Array.from(numbers);
}

function show(numbers) {
  const rows = numbers.map((value, i) => ({value, label: about.labels[i]}));
  const plain = about.output === "number";
  $("answers").replaceChildren(...rows.sort((a, b) => b.value - a.value).slice(0, MOST_SHOWN).map(r => {
    const li = document.createElement("li"), name = document.createElement("span");
    const told = document.createElement("span"), bar = document.createElement("div");
    name.textContent = r.label;
    told.textContent = plain ? r.value.toPrecision(4) : `${(100 * r.value).toFixed(1)} %`;
    bar.append(document.createElement("i"));
    bar.firstChild.style.width = `${100 * r.value}%`;
    li.dataset.value = r.value;
    li.append(name, told, ...(plain ? [] : [bar]));
    return li;
  }));
}

async function look(file) {
  if (!model || !file) return;
  say("Looking …");
  $("answers").replaceChildren();
  try {
    const photo = await createImageBitmap(file, {imageOrientation: "from-image",
      colorSpaceConversion: "none", premultiplyAlpha: "none"});
    const {width, height} = photo, canvas = Object.assign(document.createElement("canvas"), {width, height});
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(photo, 0, 0);
    URL.revokeObjectURL($("shown").src);
    $("shown").src = URL.createObjectURL(file);
    $("shown").hidden = false;
    const pixels = prepare(context.getImageData(0, 0, width, height).data, width, height, about.preprocess);
    show(await answer(pixels));
    const first = $("answers").firstChild.children;
    say(`${first[0].textContent}, ${first[1].textContent} (TensorFlow.js ${tf.version.tfjs}, ${tf.getBackend()})`);
  } catch (e) {
    say(`${file.name || "That"} cannot be looked at: ${e.message}`);
  }
}

async function begin() {
  try {
    say("Loading …");
    await loadModel();
    about = {...about, input: about.preprocess.input};
    $("about").textContent = `${about.card}\n${JSON.stringify(about.preprocess, null, 1)}`;
    $("folder").hidden = true;
    $("photo").disabled = false;
    say("Ready.");
  } catch (e) {
    const disk = location.protocol === "file:" && !chosen.has("model.json");
    $("folder").hidden = location.protocol !== "file:";
    say(disk ? "The model is not loaded yet." : `The model cannot be loaded: ${e.message}`);
  }
}

$("photo").addEventListener("change", e => look(e.target.files[0]));
$("files").addEventListener("change", e => {
  for (const f of e.target.files) chosen.set(f.name, f);
  begin();
});
addEventListener("paste", e => look(e.clipboardData.files[0]));
for (const kind of ["dragenter", "dragover", "dragleave", "drop"])
  addEventListener(kind, e => {
    e.preventDefault();
    $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") look(e.dataTransfer.files[0]);
  });
begin();
