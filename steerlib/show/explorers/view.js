// An explorer's picture on the page. The kernel composes it as a JPEG, which is always there; with it come the map's
// numbers and the frame (view.py). From these the page reads values, and colors the map itself where only the display
// is changed. A gesture moves the explorer's sliders, as a hand on them does: so the newest place wins, and there is no
// queue. Nothing is used but anywidget's standard interface.

const STRENGTH = 0.8; // of overlay.py, in the kernel's pictures
const PATIENCE = 3000; // milliseconds until the page says that the kernel does not answer
const INK = "rgb(30, 30, 30)", PAPER = "white";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const DASH = [9, 6]; // of overlay.py, pixels
const PAGE_ANSWERS = ["style", "scale", "percentile", "blur"]; // settings of display, which the page can follow alone
const MAGNITUDE = 1, FOCUS = 2, ALONE = 3; // of the style; 0 draws the map as it is
// Of overlay.focus: the percentile, the rest's blur and brightness, and how the map is smoothed, in its pixels.
const PERCENTILE = 90, BLUR = 10, DARK = 0.6, SMOOTH = 2;
const STYLE = `
.steerlib-stage { position: relative; line-height: 0; cursor: crosshair; user-select: none; }
.steerlib-stage:focus-visible { outline: 3px solid #1a73e8; outline-offset: 2px; }
.steerlib-stage img { width: 100%; height: auto; }
.steerlib-stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
.steerlib-tools { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: center; margin: 4px 0; }
.steerlib-tools fieldset { border: 0; margin: 0; padding: 0; display: flex; gap: 10px; }
.steerlib-tools input { vertical-align: middle; margin: 0 4px 0 0; }
.steerlib-tools input[type=range] { width: 110px; margin: 0 0 0 6px; }
.steerlib-said { min-height: 2.8em; line-height: 1.4; margin-top: 6px; }
.steerlib-silent { color: #b00020; line-height: 1.4; }
.steerlib-live { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }`;

const clip = (value, low, high) => Math.min(Math.max(value, low), high);

/** One value of a map, in its unit: its numbers are float16 shares of the largest magnitude. */
export function valueAt(part, column, row) {
  const bits = part.map.getUint16(2 * (row * part.shape[1] + column), true);
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const share = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24;
  return (bits & 0x8000 ? -share : share) * part.largest;
}

/** All values of a map, row by row. */
function valuesOf(part) {
  const [rows, columns] = part.shape;
  return Float32Array.from({ length: rows * columns }, (_, i) => valueAt(part, i % columns, Math.floor(i / columns)));
}

/** A window's pixels, [left, top, right, bottom], cut off at the border: as `occlude` hides them. */
export function windowAt(column, row, size, [rows, columns]) {
  const left = column - Math.floor(size / 2), top = row - Math.floor(size / 2);
  return [clip(left, 0, columns), clip(top, 0, rows), clip(left + size, 0, columns), clip(top + size, 0, rows)];
}

/** Four neighbors and their weights for each pixel of an enlarged side: OpenCV's cubic interpolation. */
function neighbors(length, enlarged) {
  const a = -0.75, places = new Int32Array(4 * enlarged), weights = new Float32Array(4 * enlarged);
  for (let i = 0; i < enlarged; i++) {
    const at = ((i + 0.5) * length) / enlarged - 0.5, first = Math.floor(at), t = at - first, u = 1 - t;
    const four = [((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a, ((a + 2) * t - (a + 3)) * t * t + 1];
    four.push(((a + 2) * u - (a + 3)) * u * u + 1);
    four.push(1 - four[0] - four[1] - four[2]);
    for (let k = 0; k < 4; k++) {
      places[4 * i + k] = clip(first - 1 + k, 0, length - 1);
      weights[4 * i + k] = four[k];
    }
  }
  return [places, weights];
}

/** Enlarge a map without overshoot, as overlay.py does. */
export function enlarge(values, [rows, columns], height, width) {
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  const [across, x] = neighbors(columns, width), [down, y] = neighbors(rows, height);
  const wide = new Float32Array(rows * width), result = new Float32Array(height * width);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < width; i++)
      for (let k = 4 * i; k < 4 * i + 4; k++) wide[row * width + i] += x[k] * values[row * columns + across[k]];
  for (let j = 0; j < height; j++)
    for (let k = 4 * j; k < 4 * j + 4; k++)
      for (let i = 0; i < width; i++) result[j * width + i] += y[k] * wide[down[k] * width + i];
  for (let i = 0; i < result.length; i++) result[i] = clip(result[i], low, high);
  return result;
}

/** The place from which a value beside the border is taken: mirrored, so that none is darker for being there. */
function mirrored(i, length) {
  const at = ((i % (2 * length)) + 2 * length) % (2 * length);
  return at < length ? at : 2 * length - 1 - at;
}

/** Smooth a map by a Gaussian of a standard deviation in its pixels, as OpenCV does. */
export function smoothed(values, [rows, columns], deviation) {
  const reach = Math.round(4 * deviation), weights = Float32Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-0.5 * ((k - reach) / deviation) ** 2));
  const sum = weights.reduce((a, b) => a + b), across = new Float32Array(values.length), result = new Float32Array(values.length);
  const beside = Int32Array.from({ length: columns + 2 * reach }, (_, i) => mirrored(i - reach, columns));
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      for (let k = 0; k < weights.length; k++) across[row * columns + column] += (weights[k] / sum) * values[row * columns + beside[column + k]];
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < weights.length; k++) {
      const from = columns * mirrored(row + k - reach, rows), weight = weights[k] / sum;
      for (let column = 0; column < columns; column++) result[row * columns + column] += weight * across[from + column];
    }
  return result;
}

/** Blur a picture, RGBA: three running means in each direction, which together are close to a Gaussian. */
export function blurred(pixels, [rows, columns], deviation) {
  const reach = (Math.sqrt(4 * deviation * deviation + 1) - 1) / 2, whole = Math.floor(reach), rest = reach - whole;
  let from = Float32Array.from(pixels), to = new Float32Array(pixels.length);
  for (const [lines, next, length, step] of [[rows, 4 * columns, columns, 4], [columns, 4, rows, 4 * columns]])
    for (let pass = 0; pass < 3; pass++) {
      // Of each mean: what comes in, what goes out, and the two values that lie in it in part.
      const at = (i) => step * mirrored(i, length), places = Int32Array.from({ length: length + 2 * whole + 3 }, (_, i) => at(i - whole - 1));
      for (let line = 0; line < lines; line++)
        for (let k = 0; k < 3; k++) {
          const first = line * next + k;
          let sum = 0;
          for (let i = 1; i <= 2 * whole + 1; i++) sum += from[first + places[i]];
          for (let i = 0; i < length; i++) {
            const before = from[first + places[i]], after = from[first + places[i + 2 * whole + 2]];
            to[first + i * step] = (sum + rest * (before + after)) / (2 * reach + 1);
            sum += after - from[first + places[i + 1]];
          }
        }
      [from, to] = [to, from];
    }
  return from;
}

/** Where a map's smoothed magnitude is among the largest, 1, and elsewhere 0: `overlay.attended`. */
export function attended(smooth, percentile) {
  const sorted = smooth.slice().sort();
  const at = (percentile / 100) * (sorted.length - 1), low = Math.floor(at), high = Math.ceil(at);
  const least = (1 - 1e-5) * (sorted[low] + (at - low) * (sorted[high] - sorted[low]));
  return smooth.map((value) => (value > 0 && value >= least ? 1 : 0));
}

/** Show a picture where a share is 1 and another, of what is left, where it is 0, RGBA all. */
export function mixed(picture, rest, share) {
  const result = new Uint8ClampedArray(picture.length);
  for (let i = 0; i < share.length; i++) {
    const at = 4 * i;
    for (let k = at; k < at + 3; k++) result[k] = rest[k] + share[i] * (picture[k] - rest[k]);
    result[at + 3] = 255;
  }
  return result;
}

/** Where each value's color stands in a palette of 511 colors, RGBA, for the shares -1 to 1 of the limit. */
export function placesOf(values, limit) {
  const places = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const share = limit > 0 ? clip(values[i] / limit, -1, 1) : Math.sign(values[i]);
    places[i] = 4 * Math.round(255 * share + 255);
  }
  return places;
}

/** Lay a map over a picture, RGBA both. The colors are those of overlay.py, which the kernel has sent. */
export function blend(picture, places, { palette, ground }, strength) {
  const result = new Uint8ClampedArray(picture.length), mixed = new Float32Array(palette.length);
  // Once for each color, not for each pixel: the share of the picture that is left, and what is added to it.
  for (let p = 0; p < palette.length; p += 4) {
    const opacity = strength * palette[p + 3];
    for (let k = 0; k < 3; k++) mixed[p + k] = opacity * palette[p + k];
    mixed[p + 3] = ground * (1 - opacity);
  }
  for (let i = 0; i < places.length; i++) {
    const at = 4 * i, p = places[i];
    for (let k = 0; k < 3; k++) result[at + k] = picture[at + k] * mixed[p + 3] + mixed[p + k];
    result[at + 3] = 255;
  }
  return result;
}

/** The pixels inside a closed line of [column, row], by the even-odd rule at the pixels' centers. */
export function inside(line, [rows, columns]) {
  const region = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const crossings = [];
    line.forEach(([x, y], i) => {
      const [x2, y2] = line[(i + 1) % line.length], at = row + 0.5;
      if (y <= at !== y2 <= at) crossings.push(x + ((at - y) / (y2 - y)) * (x2 - x));
    });
    crossings.sort((one, other) => one - other);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const first = clip(Math.ceil(crossings[i] - 0.5), 0, columns), last = clip(Math.ceil(crossings[i + 1] - 0.5), 0, columns);
      region.fill(1, row * columns + first, row * columns + last);
    }
  }
  return region;
}

/** A number with three digits, and its sign where the map has one. */
function number(value, signed) {
  const text = String(Number(Math.abs(value).toPrecision(3)));
  return (value < 0 ? "−" : signed && value > 0 ? "+" : "") + text;
}

/** What a map says at a place, with its unit and side. */
function reading(part, column, row) {
  const value = valueAt(part, column, row);
  const side = part.signed && value ? ` (${part.ends[value > 0 ? 1 : 0]})` : "";
  return { value: number(value, part.signed), side, unit: part.unit };
}

/** Make an element. */
function make(parent, tag, attributes = {}, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  parent?.append(element);
  return element;
}

/** Draw a rectangle that is seen on any ground. */
function frameIn(context, left, top, width, height) {
  for (const [color, thickness] of [[PAPER, 5], [INK, 2]]) {
    context.strokeStyle = color;
    context.lineWidth = thickness;
    context.strokeRect(left, top, width, height);
  }
}

/** Draw the arrows of overlay.mark_peaks: a signed map's peak to each side, if it reaches half the limit. */
function markPeaks(context, values, { shape: [rows, columns], box: [left, top, width, height] }, limit) {
  for (const side of [-1, 1]) {
    let peak = 0;
    values.forEach((value, i) => { if (side * value > side * values[peak]) peak = i; });
    if (!(limit > 0) || side * values[peak] < limit / 2) continue;
    const x = left + clip((((peak % columns) + 0.5) * width) / columns, 12, width - 12);
    const y = top + clip(((Math.floor(peak / columns) + 0.5) * height) / rows, 12, height - 12);
    context.beginPath();
    [[-side, -1], [-side, 1], [side, 0]].forEach(([across, down]) => context.lineTo(x + 9 * across, y + 8 * down));
    context.closePath();
    Object.assign(context, { fillStyle: PAPER, strokeStyle: INK, lineWidth: 2 });
    context.fill();
    context.stroke();
  }
}

/** Draw the lines of overlay.contours around what reaches half of the peak: dashed where it is negative. */
function drawLines(context, { lines, largest, box: [left, top] }, limit, signed) {
  if (!(limit > 0) || largest < limit / 10) return;
  for (const [side, points] of lines) {
    const line = new Path2D();
    for (let i = 0; i < points.length; i += 2) line.lineTo(left + points[i] + 0.5, top + points[i + 1] + 0.5);
    line.closePath();
    context.setLineDash(side > 0 || !signed ? [] : DASH);
    for (const [color, thickness] of [[INK, 3], [PAPER, 1]]) {
      Object.assign(context, { strokeStyle: color, lineWidth: thickness });
      context.stroke(line);
    }
  }
  context.setLineDash([]);
}

/** Draw the color bar of overlay.colorbar; without colors it says that only the frame is shown. */
function drawBar(context, part, limit, signed, colors, strength) {
  const [x, y, width, height] = part.bar, left = signed ? Math.min(80, Math.floor(width / 5)) : 40;
  const write = (text, at, below, most) => context.fillText(text, x + at, y + below, most);
  Object.assign(context, { fillStyle: PAPER, font: "13px sans-serif", textAlign: "center", textBaseline: "middle" });
  context.fillRect(x, y, width, height);
  context.fillStyle = INK;
  if (!colors) return write("only the frame: the map is not drawn", width / 2, height / 2, width - 8);
  const long = width - 2 * left, ramp = new Float32Array(long * 18);
  ramp.forEach((_, i) => { ramp[i] = signed ? -limit + (2 * limit * (i % long)) / (long - 1) : (limit * (i % long)) / (long - 1); });
  const pixels = blend(new Uint8Array(4 * ramp.length).fill(110), placesOf(ramp, limit), colors, strength);
  context.putImageData(new ImageData(pixels, long, 18), x + left, y + 6);
  Object.assign(context, { strokeStyle: INK, lineWidth: 1 });
  context.strokeRect(x + left - 0.5, y + 5.5, long + 1, 19);
  if (signed) part.ends.forEach((end, i) => write(end, i ? width - left / 2 : left / 2, 15, left - 8));
  for (const share of signed ? [-1, -0.5, 0, 0.5, 1] : [0, 0.5, 1]) {
    const at = left + (signed ? (share + 1) / 2 : share) * (long - 1);
    context.fillRect(x + at, y + 24, 1, 4);
    write(number(share * limit, signed), at, 35, width / 6);
  }
  write(limit ? part.unit : "zero everywhere", width / 2, 51, width - 8);
}

/** The page's half of one explorer. */
class Picture {
  constructor(model, el) {
    Object.assign(this, { model, controls: {}, place: null, pointers: new Map(), stroke: null, brush: 9, version: 0 });
    Object.assign(this, { tool: "point", strength: STRENGTH, plain: false, mask: null, erased: null, answer: "", frame: null });
    this.asked = this.answered = model.get("answered"); // how often something was to be erased, and was answered
    this.moved = {}; // what a gesture has set and the page has not sent yet
    this.build(el);
    this.colors = {};
    for (const [name, { palette, ground }] of Object.entries(model.get("colors"))) {
      const floats = Float32Array.from({ length: palette.byteLength / 4 }, (_, i) => palette.getFloat32(4 * i, true));
      this.colors[name] = { palette: floats, ground };
    }
    this.onControl = () => this.settingsChanged();
    this.onTied = ({ detail }) => this.follow(detail);
    document.addEventListener("steerlib-place", this.onTied);
    model.on("change", () => this.update());
    this.update();
    this.findControls();
  }

  build(el) {
    make(el, "style", {}, STYLE);
    this.stage = make(el, "div", { class: "steerlib-stage", tabindex: "0", role: "application", "data-lm-suppress-shortcuts": "true" });
    this.image = make(this.stage, "img", { class: "widget-image", draggable: "false" });
    this.canvas = make(this.stage, "canvas", { "aria-hidden": "true", width: 0, height: 0 });
    // Above what is said, which grows and shrinks: a button must not move away from the mouse.
    const tools = make(el, "div", { class: "steerlib-tools", "data-lm-suppress-shortcuts": "true" });
    this.said = make(el, "div", { class: "steerlib-said" });
    this.silent = make(el, "div", { class: "steerlib-silent", role: "status" });
    this.live = make(el, "div", { class: "steerlib-live", "aria-live": "polite" });
    this.hides = make(tools, "fieldset", { "aria-label": "What the mouse does on the picture" });
    const group = `steerlib-${Math.random()}`;
    for (const [tool, text] of [["point", "point"], ["brush", "brush"], ["lasso", "lasso"]]) {
      const input = make(make(this.hides, "label", {}), "input", { type: "radio", name: group, value: tool });
      input.parentElement.append(text);
      input.checked = tool === this.tool;
      input.addEventListener("change", () => { this.tool = tool; this.touch(); this.draw(); });
    }
    this.erases = make(tools, "span", { class: "steerlib-tools" });
    this.fill = make(make(this.erases, "label", {}, "hide by "), "select");
    for (const [value, text] of Object.entries(this.model.get("fills"))) make(this.fill, "option", { value }, text);
    this.fill.value = "blur";
    this.fill.addEventListener("change", () => { this.chose = true; });
    make(this.erases, "button", { type: "button", class: "jupyter-button" }, "Erase").onclick = () => this.erase();
    make(this.erases, "button", { type: "button", class: "jupyter-button" }, "Clear").onclick = () => this.clear();
    this.display = make(tools, "span", { class: "steerlib-tools" });
    this.styles = this.choose("picture", ["in color", "magnitude", "focus", "focus alone"]);
    this.scales = this.choose("scale", ["all frames", "this frame"]);
    this.cut = make(make(this.display, "label", {}, "percentile"), "input", { type: "range", min: 50, max: 99, value: PERCENTILE });
    this.cut.addEventListener("input", () => {
      if ("percentile" in this.controls) this.set({ percentile: this.cut.valueAsNumber });
      else this.color();
    });
    this.strong = make(make(this.display, "label", {}, "strength"), "input", { type: "range", min: 0, max: 100, value: 100 * STRENGTH });
    this.strong.addEventListener("input", () => { this.strength = this.strong.valueAsNumber / 100; this.color(); });
    const plain = make(null, "input", { type: "checkbox" });
    make(this.display, "label", {}).append(plain, "only the frame");
    plain.addEventListener("change", () => { this.plain = plain.checked; this.color(); });
    const events = { pointerdown: "press", pointermove: "move", pointerup: "release", pointercancel: "release", pointerleave: "leave", keydown: "key", blur: "blur" };
    for (const [name, method] of Object.entries(events)) this.stage.addEventListener(name, (event) => this[method](event));
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  /** A choice of how the map is drawn, which the page alone answers. */
  choose(label, options) {
    const id = `steerlib-${Math.random()}`, both = make(this.display, "span"); // a name without the options' words
    make(both, "label", { for: id }, `${label} `);
    const select = make(both, "select", { id });
    options.forEach((text, value) => make(select, "option", { value }, text));
    select.addEventListener("change", () => this.color());
    return select;
  }

  /** Show those of the page's own choices that this picture has, and that no control of the explorer offers. */
  offer() {
    const part = this.shown?.parts.find((one) => one.bar), has = (name) => name in this.controls;
    const show = (input, on) => { input.parentElement.style.display = on ? "" : "none"; };
    show(this.styles, !has("style"));
    show(this.cut, this.style >= FOCUS); // also where the explorer has a control for it, which this moves
    show(this.strong, this.style < FOCUS);
    show(this.scales, !has("scale") && this.style < FOCUS && !!part?.limits && part.limits.every((limit) => limit !== null));
    this.styles.options[MAGNITUDE].hidden = !part?.signed;
  }

  /** Find the sliders. Where a page does not give them, nothing can be put anywhere, and the rest works. */
  async findControls() {
    const find = (reference) => this.model.widget_manager.get_model(reference.replace("IPY_MODEL_", ""));
    for (const [name, reference] of Object.entries(this.model.get("settings"))) {
      try {
        const control = await find(reference);
        control.on("change:value change:index", this.onControl);
        this.controls[name] = control;
      } catch { /* the explorer is closing, or this page keeps its widgets to itself */ }
    }
    try { this.play = await find(this.model.get("play")); } catch { /* as above, or there is none */ }
    this.touch();
    this.settingsChanged();
    this.nameControls();
  }

  leaveControls() {
    for (const control of Object.values(this.controls)) control.off("change:value change:index", this.onControl);
    document.removeEventListener("steerlib-place", this.onTied);
    clearTimeout(this.timer);
    URL.revokeObjectURL(this.image.src);
  }

  /** Give names to the sliders' handles and to buttons that only have an icon: ipywidgets leaves them without. */
  nameControls() {
    const explorer = this.stage.parentElement?.closest(".widget-vbox") ?? this.stage.parentElement;
    for (const handle of explorer?.querySelectorAll(".noUi-handle:not([aria-label])") ?? []) {
      const name = handle.closest(".widget-slider, .widget-inline-hbox")?.querySelector(".widget-label")?.textContent;
      if (name) handle.setAttribute("aria-label", name);
    }
    for (const button of explorer?.querySelectorAll("button:not([aria-label])") ?? []) {
      const name = button.title || button.querySelector("i")?.className.match(/fa-([a-z]+)/)?.[1];
      if (name && !button.textContent.trim()) button.setAttribute("aria-label", name === "retweet" ? "repeat" : name);
    }
  }

  /** What a control is set to, as the kernel writes it down: of a choice its place. */
  chosen(name) {
    const control = this.controls[name];
    return control && (control.get("index") === undefined ? control.get("value") : control.get("index"));
  }

  /** How the map is to be drawn: by the explorer's control, or by the page's own. */
  wished(name) {
    if (name in this.controls) return this.chosen(name);
    return { style: this.styles.selectedIndex, scale: this.scales.selectedIndex, percentile: this.cut.valueAsNumber, blur: BLUR }[name];
  }

  /** Whether the kernel has drawn it so: what it has no control for, in color, on its own scale. */
  asDrawn(name, shown) {
    if (name in this.controls) return this.chosen(name) === shown.drawn[name];
    return !["style", "scale"].includes(name) || !this.wished(name);
  }

  get style() {
    return this.wished("style");
  }

  get placeable() {
    return ["column", "row", "size", "show"].every((name) => name in this.controls);
  }

  get size() {
    return this.tool === "point" && this.placeable ? this.moved.size ?? this.chosen("size") : this.brush;
  }

  get shape() {
    return this.shown.parts[0]?.shape;
  }

  // ---- what comes from the kernel

  async update() {
    const version = ++this.version, { model } = this, shown = model.get("shown"), erased = model.get("erased");
    const value = model.get("value"), answered = model.get("answered");
    const address = this.value === value ? null : URL.createObjectURL(new Blob([value], { type: "image/jpeg" }));
    const bitmap = erased.byteLength ? await createImageBitmap(new Blob([erased], { type: "image/jpeg" })) : null;
    if (this.shown && shown.number !== this.shown.number && this.recolored(shown)) {
      // The page's colors and the new picture belong together.
      await this.readFrame();
      if (address) await Object.assign(new Image(), { src: address }).decode().catch(() => {});
    }
    if (version !== this.version) return address && URL.revokeObjectURL(address);
    if (address) {
      const before = this.image.src;
      this.image.onload = () => { this.image.onload = null; URL.revokeObjectURL(before); this.draw(); };
      Object.assign(this, { value });
      this.image.src = address;
    }
    // An answer belongs to the picture and the region that it was asked for.
    if (answered !== this.answered) Object.assign(this, { answered, asked: Math.max(this.asked, answered), answer: model.get("answer"), erased: bitmap });
    else if (shown.number !== this.shown?.number) this.forget();
    this.shown = shown;
    this.image.alt = model.get("tooltip");
    if (this.stage.parentElement.contains(document.activeElement)) this.live.textContent = this.answer || model.get("tooltip");
    if (this.shape && this.mask?.length !== this.shape[0] * this.shape[1]) this.mask = new Uint8Array(this.shape[0] * this.shape[1]);
    this.values = null;
    this.hides.style.visibility = this.erases.style.visibility = shown.erases ? "" : "hidden";
    this.display.style.visibility = shown.parts.some((part) => part.bar) ? "" : "hidden";
    this.touch();
    this.color();
    this.listen();
    this.nameControls();
  }

  /** Read the frame's pixels, which the map is laid over. */
  async readFrame() {
    const bytes = this.model.get("frame");
    if (this.frame?.bytes === bytes || !bytes.byteLength) return;
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    const canvas = new OffscreenCanvas(picture.width, picture.height), context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    this.frame = { bytes, picture, data: context.getImageData(0, 0, picture.width, picture.height).data };
  }

  /** Say how the page is to draw a part: null where the kernel's picture is what was chosen, or only it can draw it. */
  wish(part, shown = this.shown) {
    const { style } = this;
    if (!part.bar) return null;
    if (this.plain) return { plain: true };
    const same = PAGE_ANSWERS.every((name) => this.asDrawn(name, shown));
    // Of a `bare` part the picture shows the frame alone: the book's page has no kernel that draws the map into it.
    if (same && (this.strength === STRENGTH || style >= FOCUS) && !part.bare) return null;
    if (style >= FOCUS) return { focus: true, alone: style === ALONE, percentile: this.wished("percentile"), blur: this.wished("blur") };
    const limit = this.limitOf(part);
    return limit === null ? null : { limit, signed: part.signed && style !== MAGNITUDE, magnitude: style === MAGNITUDE };
  }

  /** The value in the strongest color, where it is known. */
  limitOf({ limit, limits }) {
    const choice = "scale" in this.controls || limits?.every((one) => one !== null);
    return limits && choice ? limits[this.wished("scale")] : limit;
  }

  recolored(shown) {
    return shown.parts.some((part) => this.wish(part, shown));
  }

  /** Color the map anew, after a change of the display. */
  async color() {
    if (!this.shown) return;
    this.offer();
    if (this.recolored(this.shown)) await this.readFrame();
    this.draw();
  }

  settingsChanged() {
    this.play?.set("value", this.chosen("frame")); // not saved: the kernel has no use for it
    this.cut.value = this.wished("percentile");
    if (!this.chose && "fill" in this.controls) this.fill.value = this.fill.options[this.chosen("fill")].value;
    this.color();
    this.listen();
  }

  /** Begin to wait for the kernel where something is asked that only it can answer; say so when it does not. */
  listen() {
    if (!this.shown) return;
    const colored = this.shown.parts.some((part) => part.bar && this.answersAlone(part));
    const open = (name) => this.chosen(name) !== this.shown.drawn[name] && !(colored && PAGE_ANSWERS.includes(name));
    const drawing = Object.keys(this.moved).length > 0 || Object.keys(this.controls).some(open);
    if (this.erasing && !drawing) this.sendErase();
    const waits = drawing || this.asked > this.answered;
    if (!waits) {
      clearTimeout(this.timer);
      this.timer = null;
      this.silent.textContent = "";
    } else this.timer ??= setTimeout(() => {
      this.silent.textContent = "The kernel has not answered for 3 seconds: it is busy, or it was stopped. " +
        "The map can still be read, and drawn in another way; everything else needs it.";
    }, PATIENCE);
  }

  answersAlone(part) {
    return this.style >= FOCUS || this.limitOf(part) !== null;
  }

  // ---- what is drawn

  draw() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = null; this.drawNow(); });
  }

  /** Tell tied pictures which place is read here, in shares of the frame's width and height; null: none. */
  tell() {
    const { place } = this, tie = this.model.get("tie"), [rows, columns] = this.shape ?? [], [top, bottom] = this.model.get("crop");
    if (!tie || !rows || place?.followed) return;
    const at = place && [(place.column + 0.5) / columns, top + ((bottom - top) * (place.row + 0.5)) / rows];
    if (`${at}` === this.told) return;
    this.told = `${at}`;
    document.dispatchEvent(new CustomEvent("steerlib-place", { detail: { tie, from: this, at, mirrored: this.model.get("mirrored") } }));
  }

  /** Read the place that is read in a tied picture. */
  follow({ tie, from, at, mirrored }) {
    if (from === this || tie !== this.model.get("tie") || !this.shape) return;
    const [rows, columns] = this.shape, part = this.shown.parts[0], [top, bottom] = this.model.get("crop");
    this.place = null;
    if (at) {
      const across = mirrored === this.model.get("mirrored") ? at[0] : 1 - at[0], down = (at[1] - top) / (bottom - top);
      const seen = down >= 0 && down < 1; // not what another network sees above or below
      if (seen) this.place = { part, column: Math.floor(across * columns), row: Math.floor(down * rows), followed: true };
    }
    this.draw();
  }

  drawNow() {
    const { image, canvas, shown } = this;
    if (!shown || !image.naturalWidth) return;
    if (canvas.width !== image.naturalWidth || canvas.height !== image.naturalHeight)
      Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (const part of shown.parts) this.drawColors(context, part);
    // Where the picture is this part alone, the angles below it are those of what was erased, too.
    if (this.erased) context.drawImage(this.erased, ...shown.parts[0].box.slice(0, 2));
    for (const part of shown.parts) this.drawHand(context, part);
    this.say();
    this.tell();
  }

  drawColors(context, part) {
    const wish = this.wish(part), [left, top, width, height] = part.box;
    if (!wish || !this.frame || this.frame.picture.width !== width || this.frame.picture.height !== height) return;
    if (wish.plain) {
      context.drawImage(this.frame.picture, left, top);
      return drawBar(context, part, 0, part.signed, null, 0);
    }
    if (wish.focus) return this.drawFocus(context, part, wish);
    const key = `${wish.magnitude}`;
    if (this.values?.key !== key) {
      const raw = valuesOf(part), values = wish.magnitude ? raw.map(Math.abs) : raw;
      this.values = { key, values, enlarged: enlarge(values, part.shape, height, width) };
    }
    const colors = this.colors[wish.signed ? "signed" : "unsigned"];
    if (this.values.limit !== wish.limit)
      Object.assign(this.values, { limit: wish.limit, places: placesOf(this.values.enlarged, wish.limit) });
    const pixels = blend(this.frame.data, this.values.places, colors, this.strength);
    context.putImageData(new ImageData(pixels, width, height), left, top);
    drawLines(context, part, wish.limit, wish.signed);
    if (part.arrows && wish.signed) markPeaks(context, this.values.values, part, wish.limit);
    drawBar(context, part, wish.limit, wish.signed, colors, this.strength);
  }

  /** Draw what is attended sharp over the rest, as overlay.focus does; the place of the color bar stays empty. */
  drawFocus(context, part, { alone, percentile, blur }) {
    const [left, top, width, height] = part.box, size = [height, width], { frame } = this, rest = alone ? "black" : `${blur}`;
    if (frame.rest !== rest) {
      const pixels = alone ? frame.data.map(() => 0) : blur ? blurred(frame.data, size, blur) : frame.data;
      Object.assign(frame, { rest, dark: Float32Array.from(pixels, (value) => DARK * value) });
    }
    if (this.values?.key !== "focus") this.values = { key: "focus", smooth: smoothed(valuesOf(part).map(Math.abs), part.shape, SMOOTH) };
    // Blurred a little, or the squares of the map's pixels would show along the border.
    const share = smoothed(attended(this.values.smooth, percentile), part.shape, part.shape[1] / 300);
    const pixels = mixed(frame.data, frame.dark, enlarge(share, part.shape, height, width));
    context.putImageData(new ImageData(pixels, width, height), left, top);
    const [x, y, wide, high] = part.bar;
    context.fillStyle = PAPER;
    context.fillRect(x, y, wide, high);
  }

  /** Draw what is painted, the lasso, and the outline of the window or the pixel that is read. */
  drawHand(context, { box: [left, top, width, height], shape: [rows, columns], ...part }) {
    const x = width / columns, y = height / rows, { mask, place } = this;
    if (mask?.some((on) => on)) {
      const edges = new Path2D(), on = (column, row) => column >= 0 && column < columns && row >= 0 && row < rows && mask[row * columns + column];
      context.fillStyle = this.erased ? "transparent" : "rgba(255, 255, 255, 0.6)";
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          if (!on(column, row)) continue;
          const [l, t] = [left + column * x, top + row * y];
          context.fillRect(l, t, x, y);
          for (const [side, ...line] of [[on(column - 1, row), l, t, l, t + y], [on(column + 1, row), l + x, t, l + x, t + y],
            [on(column, row - 1), l, t, l + x, t], [on(column, row + 1), l, t + y, l + x, t + y]])
            if (!side) { edges.moveTo(line[0], line[1]); edges.lineTo(line[2], line[3]); }
        }
      for (const [color, thickness] of [[PAPER, 4], [INK, 1.5]]) {
        Object.assign(context, { strokeStyle: color, lineWidth: thickness });
        context.stroke(edges);
      }
    }
    if (this.stroke?.line) {
      const line = new Path2D();
      this.stroke.line.forEach(([column, row]) => line.lineTo(left + column * x, top + row * y));
      for (const [color, thickness] of [[PAPER, 4], [INK, 1.5]]) {
        Object.assign(context, { strokeStyle: color, lineWidth: thickness });
        context.stroke(line);
      }
    }
    const { column, row, size: drawn } = this.shown.drawn, all = { ...part, shape: [rows, columns], box: [left, top, width, height] };
    const corners = (...window) => {
      const [l, t, r, b] = windowAt(...window, [rows, columns]);
      return [left + l * x, top + t * y, left + r * x, top + b * y];
    };
    if (part.note && !this.erased) this.label(context, all, part.note, corners(column, row, drawn));
    if (!place) return;
    const size = this.tool === "brush" || (this.tool === "point" && this.placeable) || this.byKey ? this.size : 1;
    const [l, t, r, b] = corners(place.column, place.row, size);
    frameIn(context, l, t, r - l, b - t);
    const there = part.note && place.column === column && place.row === row;
    if (!part.map || there || this.erased) return;
    const { value, side, unit } = reading(all, place.column, place.row);
    const before = part.note ? "map: " : "", after = this.shown.parts.length > 1 ? "" : ` ${unit}`;
    this.label(context, all, before + value + side + after, [l, t, r, b]);
  }

  /** Write beside a rectangle, inside the part. */
  label(context, { box: [left, top, width, height] }, text, [other, y, x]) {
    Object.assign(context, { font: "bold 15px sans-serif", textAlign: "left", textBaseline: "middle" });
    const wide = context.measureText(text).width + 12;
    const from = x + 6 + wide > left + width ? Math.max(left, other - 6 - wide) : x + 6, above = clip(y - 4, top, top + height - 24);
    context.fillStyle = PAPER;
    context.fillRect(from, above, wide, 24);
    Object.assign(context, { strokeStyle: INK, lineWidth: 1, fillStyle: INK });
    context.strokeRect(from + 0.5, above + 0.5, wide - 1, 23);
    context.fillText(text, from + 6, above + 13);
  }

  /** Say in words what is under the hand, or what the kernel answered. */
  say() {
    const { parts } = this.shown, { answer } = this;
    let words = "";
    if (this.place && parts.length) {
      const { column, row } = this.place, maps = parts.filter((part) => part.map);
      const one = (part) => {
        const { value, side, unit } = reading(part, column, row);
        return `${part.name ? part.name + ": " : ""}${value}${side} ${unit}`;
      };
      words = `Column ${column}, row ${row}. ` + (maps.length ? `The map says ${maps.map(one).join("; ")}.` : "No map of these settings is at hand.");
    } else if (parts.length) words = this.hint();
    this.said.textContent = answer ? answer : this.legend() + words;
    if (this.byKey && this.place && !answer) this.live.textContent = words;
  }

  /** What the colors mean where the page has drawn them in another way than the words of the kernel say. */
  legend() {
    const { style } = this;
    if (!this.recolored(this.shown)) return "";
    if (style >= FOCUS) {
      const share = Math.round(100 - this.wished("percentile"));
      return `Sharp: the ${share} % of the picture where the map is strongest; the rest is ${style === ALONE ? "black" : "blurred and dark"}. `;
    }
    if (this.asDrawn("style", this.shown)) return "";
    return style === MAGNITUDE ? "Yellow: where the map is strongest, to whichever side. " : "Red steers right, blue left. ";
  }

  hint() {
    const does = this.placeable ? "Click or drag: hide what is there. Then the mouse wheel: the window's size. " : "Point at the picture to read the map. ";
    return does + (this.shown.erases ? "Brush or lasso something and erase it: what was it worth?" : "");
  }

  /** Tell a screen reader, and the finger's scrolling, what the picture can do now. */
  touch() {
    const moves = this.placeable ? "the window" : "the place that is read";
    const erases = this.shown?.erases ? " Space paints there, E erases what is painted, Escape clears it." : "";
    const asks = this.shown?.parts.length;
    this.stage.setAttribute("aria-label", asks ? `What the network sees. Arrow keys move ${moves}, plus and minus change its size.${erases}` : "Picture");
    this.stage.style.touchAction = asks && (this.placeable || this.tool !== "point") ? "none" : "auto";
  }

  // ---- the hand

  /** The part and its pixel below the pointer; with `within`, the nearest one of that part. */
  placeOf(event, within) {
    // Not the image's own size, which is 0 while the next picture is being read.
    const { canvas } = this, frame = this.image.getBoundingClientRect();
    if (!canvas.width) return null;
    const x = ((event.clientX - frame.left) * canvas.width) / frame.width;
    const y = ((event.clientY - frame.top) * canvas.height) / frame.height;
    for (const part of within ? [within] : this.shown?.parts ?? []) {
      const { box: [left, top, width, height], shape: [rows, columns] } = part;
      if (!within && (x < left || x >= left + width || y < top || y >= top + height)) continue;
      const exact = [clip(((x - left) * columns) / width, 0, columns), clip(((y - top) * rows) / height, 0, rows)];
      const [column, row] = [Math.min(Math.floor(exact[0]), columns - 1), Math.min(Math.floor(exact[1]), rows - 1)];
      return { part, exact, column, row };
    }
    return null;
  }

  press(event) {
    if (event.button) return;
    this.stage.focus({ preventScroll: true });
    const place = this.placeOf(event);
    if (!place) return;
    event.preventDefault();
    try { this.stage.setPointerCapture(event.pointerId); } catch { /* the finger has left already */ }
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size === 2) {
      this.stroke = { pinch: this.apart(), size: this.size };
      return;
    }
    this.byKey = false;
    this.stroke = { part: place.part, last: place, line: this.tool === "lasso" ? [place.exact] : null };
    this.reach(place);
  }

  move(event) {
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.stroke?.pinch) return this.resize(Math.round((this.stroke.size * this.apart()) / this.stroke.pinch) - this.size);
    const place = this.placeOf(event, this.stroke?.part);
    if (this.stroke) return this.reach(place);
    this.byKey = false;
    this.place = place;
    this.draw();
  }

  /** A stroke goes on to a place: the window is put there, or what lies between is painted. */
  reach(place) {
    this.place = place;
    if (this.tool === "point") this.put(place);
    else if (this.tool === "lasso") this.stroke.line.push(place.exact);
    else {
      const { last } = this.stroke, steps = Math.max(1, Math.abs(place.column - last.column), Math.abs(place.row - last.row));
      for (let i = 0; i <= steps; i++)
        this.paint(Math.round(last.column + ((place.column - last.column) * i) / steps), Math.round(last.row + ((place.row - last.row) * i) / steps));
    }
    this.stroke.last = place;
    this.draw();
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    if (!this.stroke) return;
    if (this.stroke.line) {
      inside(this.stroke.line, this.shape).forEach((on, i) => { if (on) this.mask[i] = 1; });
      this.forget();
    }
    this.stroke = null;
    this.draw();
  }

  leave() {
    if (this.stroke || this.byKey) return;
    this.place = null;
    this.draw();
  }

  /** The keyboard's place is shown as long as the keyboard is here. */
  blur() {
    if (this.byKey) Object.assign(this, { byKey: false, place: null });
    this.draw();
  }

  apart() {
    const [[x, y], [x2, y2]] = this.pointers.values();
    return Math.hypot(x - x2, y - y2) || 1;
  }

  wheel(event) {
    // A page is scrolled over a picture; only who has touched it means its window.
    if (document.activeElement !== this.stage && !event.ctrlKey) return;
    if (!this.shown?.parts.length) return;
    event.preventDefault();
    this.turned = (this.turned ?? 0) - event.deltaY * (event.deltaMode ? 33 : 1);
    const notches = Math.trunc(this.turned / (event.ctrlKey ? 10 : 60));
    this.turned -= notches * (event.ctrlKey ? 10 : 60);
    if (notches) this.resize(2 * notches);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.shown?.parts.length) return;
    const { key } = event, [rows, columns] = this.shape;
    if (key in ARROWS) {
      const far = event.shiftKey ? 10 : 1, at = this.start();
      this.place = { part: at.part, column: clip(at.column + far * ARROWS[key][0], 0, columns - 1), row: clip(at.row + far * ARROWS[key][1], 0, rows - 1) };
      if (this.tool === "point") this.put(this.place);
    } else if (key === "+" || key === "=") this.resize(2);
    else if (key === "-" || key === "_") this.resize(-2);
    else if ((key === " " || key === "Enter") && this.shown.erases) {
      this.place = this.start();
      this.paint(this.place.column, this.place.row);
    } else if ((key === "e" || key === "E") && this.shown.erases) this.erase();
    else if (key === "Escape") this.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.byKey = true;
    this.draw();
  }

  /** Where the keyboard begins: the last place, else the window, else the middle. */
  start() {
    if (this.place) return this.place;
    const [rows, columns] = this.shape, part = this.shown.parts[0];
    if (this.placeable) return { part, column: this.moved.column ?? this.chosen("column"), row: this.moved.row ?? this.chosen("row") };
    return { part, column: Math.floor(columns / 2), row: Math.floor(rows / 2) };
  }

  /** Put the window at a place: the sliders go there. */
  put({ column, row }) {
    if (this.placeable) this.set({ show: 1, column, row });
  }

  resize(by) {
    if (this.tool === "point" && this.placeable) {
      const control = this.controls.size;
      this.set({ size: clip(this.size + by, control.get("min"), control.get("max")) });
    } else this.brush = clip(this.brush + by, 1, 59);
    this.draw();
  }

  /** Move sliders once for each frame of the screen, to the newest values. */
  set(values) {
    const first = !Object.keys(this.moved).length;
    Object.assign(this.moved, values);
    if (first) requestAnimationFrame(() => {
      const { moved } = this;
      this.moved = {};
      for (const [name, value] of Object.entries(moved)) {
        if (this.chosen(name) === value) continue;
        this.controls[name].set(name === "show" ? "index" : "value", value);
        this.controls[name].save_changes();
      }
      this.listen();
    });
  }

  // ---- painting and erasing

  paint(column, row) {
    if (!this.shown.erases) return;
    const [left, top, right, bottom] = windowAt(column, row, this.size, this.shape);
    for (let y = top; y < bottom; y++) this.mask.fill(1, y * this.shape[1] + left, y * this.shape[1] + right);
    this.forget();
  }

  /** What was answered was another picture or region. */
  forget() {
    Object.assign(this, { answer: "", erased: null });
  }

  erase() {
    if (!this.mask?.some((on) => on)) {
      this.say();
      this.said.textContent = this.live.textContent = "Nothing is painted yet: choose the brush or the lasso, or press Space on the picture.";
      return;
    }
    this.asked += 1;
    this.erasing = true;
    this.listen();
  }

  /** Send what is painted, once the picture is that of the settings: what is drawn later would take the answer away. */
  sendErase() {
    this.erasing = false;
    this.model.send({ kind: "erase", frame: this.shown.drawn.frame, fill: this.fill.value }, undefined, [this.mask.slice().buffer]);
  }

  clear() {
    this.mask?.fill(0);
    this.forget();
    this.draw();
  }
}

export default {
  render({ model, el }) {
    const picture = new Picture(model, el);
    return () => picture.leaveControls();
  },
};
