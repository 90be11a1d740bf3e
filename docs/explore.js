// Stands in for the kernel on the book's page: gives an explorer's picture what tools/scenes.py has written down.
const { colors, scenes } = window.steerlibScenes;
const bytes = ({ base64 }) => new DataView(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer);
const root = document.getElementById("steerlib-explore");
const [scene, method] = root.querySelectorAll("select"), stage = root.querySelector("div"), words = root.querySelector("p");
const palettes = Object.fromEntries(Object.entries(colors).map(([name, one]) => [name, { ...one, palette: bytes(one.palette) }]));

let close = () => {};

function show() {
  const { frame, value, maps } = scenes[scene.selectedIndex], { part, words: told } = maps[method.value];
  const state = {
    value: bytes(value), frame: bytes(frame), tooltip: `${scene.value}. ${told}`, colors: palettes, settings: {}, fills: {},
    shown: { number: 1, drawn: {}, parts: [{ ...part, map: bytes(part.map) }], erases: false },
    answer: "", answered: 0, erased: new DataView(new ArrayBuffer(0)), tie: "", mirrored: false, crop: [0, 1],
  };
  close();
  stage.replaceChildren();
  close = view.render({ model: { get: (name) => state[name], on() {}, off() {}, send() {} }, el: stage });
  words.textContent = told;
}

for (const { title } of scenes) scene.add(new Option(title));
for (const title of Object.keys(scenes[0].maps)) method.add(new Option(title));
for (const select of [scene, method]) select.addEventListener("change", show);
show();
