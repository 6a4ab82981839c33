// A model for TensorFlow.js and its page, in Node and in a browser.
//
//   node tests/cli/tfjs.js node FOLDER PICTURE.ppm...     what TensorFlow.js answers in Node of pixels that
//                                                         the page's own code prepares: a list a picture
//   node tests/cli/tfjs.js snippet FOLDER PICTURE.ppm PROGRAM   what a program of three lines answers in Node, which
//                                                         leaves `labels` and `prob`, of a picture of the network's size
//   node tests/cli/tfjs.js page FOLDER BROWSER PHOTO...   what the page shows, given the photo, in a browser
//
// NODE_PATH names the folder with @tensorflow/tfjs and, for the page, puppeteer-core. TFJS_BACKEND=wasm: in Node,
// of @tensorflow/tfjs-backend-wasm, instead of plain JavaScript.
"use strict";
const fs = require("fs"), http = require("http"), path = require("path"), vm = require("vm");
const [how, folder, ...more] = process.argv.slice(2);
const beside = name => path.join(folder, name);

function picture(file) {
  const data = fs.readFileSync(file), [w, h] = data.toString("latin1", 3, 30).split(" ").map(Number);
  const rgb = data.subarray(data.length - 3 * w * h), rgba = new Uint8ClampedArray(4 * w * h).fill(255);
  for (let i = 0; i < w * h; i++) rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
  return [rgba, w, h];
}

// What loads the folder's model without a server.
function onDisk(json) {
  const group = json.weightsManifest[0];
  const weightData = new Uint8Array(Buffer.concat(group.paths.map(p => fs.readFileSync(beside(p))))).buffer;
  return {load: async () => ({...json, weightSpecs: group.weights, weightData})};
}

async function inNode() {
  const tf = require("@tensorflow/tfjs"), backend = process.env.TFJS_BACKEND;
  if (backend) {
    require(`@tensorflow/tfjs-backend-${backend}`);
    await tf.setBackend(backend);
  }
  const json = JSON.parse(fs.readFileSync(beside("model.json")));
  const told = json.userDefinedMetadata;
  const {width, height, dtype, layout} = told.preprocess.input, page = fs.readFileSync(beside("index.html"), "utf8");
  const model = await tf.loadGraphModel(onDisk(json));
  vm.runInThisContext(page.match(/<script>\n("use strict";[^]*?)<\/script>/)[1]);
  const at = layout === "NCHW" ? "image/nhwc" : dtype === "uint8" ? "image/float" : "image";
  const answers = more.map(file => {
    const given = tf.tensor4d(prepare(...picture(file), told.preprocess), [1, height, width, 3]);
    const numbers = model.execute({[at]: given}, Object.keys(json.signature.outputs)[0]).dataSync();
    return Object.fromEntries(told.labels.map((label, i) => [label, numbers[i]]));
  });
  // the ends as they are, of several pictures
  const ends = model.inputs[0], shape = ends.shape.map(n => n < 0 ? 2 : n);
  model.execute({image: tf.zeros(shape, ends.dtype)}).dataSync();
  console.log(JSON.stringify(answers));
}

// A browser's `tf`, `fetch` and `canvas`, as far as the program needs them.
async function inSnippet() {
  const tf = require("@tensorflow/tfjs"), [file, program] = more, [rgba, width, height] = picture(file);
  const read = async name => JSON.parse(fs.readFileSync(beside(name)));
  const given = {...tf, loadGraphModel: async name => tf.loadGraphModel(onDisk(await read(name)))};
  const asynchronous = Object.getPrototypeOf(async () => {}).constructor;
  const run = asynchronous("tf", "fetch", "canvas", `${program}; return [labels, [...prob]]`);
  const canvas = {data: new Uint8Array(rgba), width, height};
  const [labels, prob] = await run(given, async name => ({json: () => read(name)}), canvas);
  console.log(JSON.stringify(Object.fromEntries(labels.map((label, i) => [label, prob[i]]))));
}

async function inBrowser() {
  const [browser, ...photos] = more, puppeteer = require("puppeteer-core");
  const script = require.resolve("@tensorflow/tfjs/dist/tf.min.js");
  const server = http.createServer((asked, reply) => {
    const name = asked.url === "/" ? "index.html" : path.basename(asked.url);
    const file = name === "tf.min.js" ? script : beside(name);
    reply.setHeader("Content-Type", name.endsWith(".html") ? "text/html" : "application/octet-stream");
    reply.end(fs.existsSync(file) ? fs.readFileSync(file) : "");
  });
  await new Promise(done => server.listen(0, "127.0.0.1", done));
  const opened = await puppeteer.launch({executablePath: browser, args: ["--no-sandbox", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader"]});
  const page = await opened.newPage(), timeout = 120000, answers = [];
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => !document.getElementById("photo").disabled, {timeout});
  for (const photo of photos) {
    await page.evaluate(() => document.getElementById("answers").replaceChildren());
    await (await page.$("#photo")).uploadFile(photo);
    await page.waitForFunction(() => document.querySelector("#answers li"), {timeout});
    answers.push(Object.fromEntries(await page.$$eval("#answers li", rows =>
      rows.map(li => [li.firstChild.textContent, Number(li.dataset.value)]))));
  }
  await opened.close();
  server.close();
  console.log(JSON.stringify(answers));
}

({node: inNode, snippet: inSnippet, page: inBrowser})[how]().catch(e => {
  console.error(e);
  process.exit(1);
});
