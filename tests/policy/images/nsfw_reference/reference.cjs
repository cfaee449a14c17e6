// What nsfwjs itself says of the reference pictures: the recordings that our ONNX files are held against.
//
//   npm install nsfwjs@4.4.0 @tensorflow/tfjs@4.22.0
//   python tests/policy/images/nsfw_reference/pictures.py > pictures.raw
//   node tests/nsfw_reference/reference.cjs pictures.raw MobileNetV2 tests/nsfw_reference/scores.json
//   node tests/nsfw_reference/reference.cjs pictures.raw MobileNetV2Mid tests/nsfw_reference/scores_mid.json
const fs = require("fs");
const tf = require("@tensorflow/tfjs");
const nsfw = require("nsfwjs");

const SIDE = 224;
const CLASSES = ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"];

(async () => {
  const raw = fs.readFileSync(process.argv[2]);
  const model = await nsfw.load(process.argv[3]);
  const scores = [];
  for (let start = 0; start < raw.length; start += SIDE * SIDE * 3) {
    const picture = tf.tensor3d(Uint8Array.from(raw.subarray(start, start + SIDE * SIDE * 3)), [SIDE, SIDE, 3], "int32");
    const said = Object.fromEntries((await model.classify(picture, 5)).map((row) => [row.className, row.probability]));
    scores.push(CLASSES.map((name) => said[name]));
  }
  fs.writeFileSync(process.argv[4], JSON.stringify({ nsfwjs: "4.4.0", tfjs: tf.version.tfjs, classes: CLASSES, scores }) + "\n");
})();
