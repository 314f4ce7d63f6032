// The page: its state is one code z (and the label that a conditional decoder reads). Whatever
// changes that, map, sliders or interpolation, calls `go`, and everything else follows.

(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const floats = (text) => new Float32Array(Numbers.bytesOf(text));
  const doubles = (text) => new Float64Array(Numbers.bytesOf(text));
  const { k, plane, samples, units } = data;
  const codes = floats(samples.codes);
  const points = floats(plane.points);
  const count = samples.rows.length;
  const kind = data.image ? "image" : "row";
  const codeOf = (i) => Array.from(codes.subarray(i * k, (i + 1) * k));
  const { plural, percent } = Words;
  const STEPS = 200; // positions of a slider
  const STRIP = 9; // pictures between two samples
  const FIRST_UNITS = 12; // sliders that are seen at first
  const PLAYED = 3000; // milliseconds from A to B
  const SLOW = 40; // milliseconds of a decode from which the strip waits until nothing moves

  window.addEventListener("error", (event) => trouble(event.message));
  function trouble(words) {
    $("trouble").hidden = false;
    $("trouble").textContent = `Something on this page does not work here: ${words}`;
  }

  const decodeCode = Decoder.make(data.program);
  const labelled = (z, c) => [...z, ...data.classes.map((_, j) => +(j === c))];
  const state = { z: new Array(k).fill(0), class: 0, sample: null, words: "" };
  const picked = { a: null, b: null };
  let cost = 0; // milliseconds that a decode takes

  function decode(z) {
    const began = performance.now();
    const values = decodeCode(labelled(z, state.class));
    cost = performance.now() - began;
    return values;
  }

  function nameOf(i) {
    const name = samples.names ? samples.names[i] : `${kind} ${samples.rows[i]}`;
    return samples.label ? `${name}, label ${samples.labels[samples.label[i]]}` : name;
  }

  $("title").textContent = data.title;
  $("summary").textContent = [data.which, data.drawn].filter(Boolean).join(" ");
  $("map-is").textContent = Words.map(k, plane);
  $("notes").textContent = Words.notes(data);
  $("units-are").textContent = Words.units(units);

  // ------------------------------------------------------------------ showing a code
  const sheet = new Image();
  const view = data.image
    ? Pictures.images(data.image, sheet)
    : Pictures.tables(data.table, (data.table.doubles ? doubles : floats)(data.table.rows));
  const showPair = view.pair($("pair"));

  let waiting = false; // for the next frame
  let heldBack = 0; // the timer of the strip
  function refresh() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      showPair(decode(state.z), state.sample, state.words);
      $("what").textContent = `${state.words[0].toUpperCase()}${state.words.slice(1)}.`;
      map.set({ here: onPlane(state.z), picked: [picked.a, picked.b] });
      for (const unit of sliders) unit.put();
    });
  }

  function onPlane(z) {
    const along = (axis) => axis.reduce((sum, v, j) => sum + v * (z[j] - plane.origin[j]), 0);
    return plane.axes.map(along);
  }

  // Make z the code that everything shows; `sample` is the one that it is the code of, or null.
  function go(z, words, sample = null) {
    Object.assign(state, { z, words, sample });
    refresh();
  }

  function pick(i) {
    if (i !== picked.b) [picked.a, picked.b] = [picked.b, i];
    if (picked.a === null) picked.a = i;
    if (data.own_class) setClass(data.own_class[i]);
    $("between").value = 100;
    go(codeOf(i), nameOf(i), i);
    between();
    $("status").textContent = `Decoded: ${nameOf(i)}. It is B now, and A is ${nameOf(picked.a)}.`;
  }

  // ------------------------------------------------------------------ the map
  const tip = $("tip");
  const tipWords = make("div");
  const tipPicture = data.image ? make("canvas") : null;
  tip.append(...[tipPicture, tipWords].filter(Boolean));

  const map = CodeMap.create($("map"), {
    points,
    labels: samples.label,
    even: k > 1,
    stamp: view.stamp,
    ratio: view.ratio,
    listeners: {
      look(i, byKey) {
        tip.hidden = i === null;
        if (i === null) return;
        tipWords.textContent = nameOf(i);
        if (tipPicture) view.original(tipPicture, i);
        const [x, y, width] = map.at(i);
        tip.style.top = `${y + 14}px`;
        tip.style.left = x < width / 2 ? `${Math.max(0, x + 14)}px` : "auto";
        tip.style.right = x < width / 2 ? "auto" : `${Math.max(0, width - x + 14)}px`;
        const [px, py] = [points[2 * i], points[2 * i + 1]];
        if (byKey) $("status").textContent = `${nameOf(i)}, at ${brief(px)}, ${brief(py)}.`;
      },
      pick,
      place(x, y) {
        const z = plane.origin.map((v, j) => v + x * plane.axes[0][j] + y * plane.axes[1][j]);
        go(z, k === 1 ? `the code ${brief(x)}` : `the place ${brief(x)}, ${brief(y)} on the map`);
      },
    },
  });

  samples.labels.forEach((label, number) => {
    const swatch = make("canvas", { width: 32, height: 32, "aria-hidden": "true" });
    const paint = () => {
      const context = swatch.getContext("2d");
      context.clearRect(0, 0, 32, 32);
      map.marker(context, number, 16, 16, 10);
    };
    paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
    const button = make("button", { type: "button", "aria-pressed": "false", onclick() {
      const on = button.getAttribute("aria-pressed") === "false";
      for (const other of $("legend").querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(on));
      map.set({ only: on ? number : null });
    } }, swatch, label);
    $("legend").append(make("li", {}, button));
  });
  $("legend").hidden = !samples.labels.length;

  if (data.image) {
    $("pictures-choice").hidden = false;
    $("pictures").addEventListener("change", (event) => map.set({ pictures: event.target.checked }));
  }

  // ------------------------------------------------------------------ the label that is read
  function setClass(number) {
    state.class = number;
    $("class").value = number;
  }
  if (data.classes.length) {
    $("class-choice").hidden = false;
    $("class").append(...data.classes.map((label, j) => make("option", { value: j }, label)));
    $("class").addEventListener("change", (event) => {
      state.class = Number(event.target.value);
      state.sample = null;
      refresh();
      between();
    });
    setClass(state.class);
  }

  // ------------------------------------------------------------------ sliders
  const measure = units.measure === "KL" ? (x) => `${show(x)} nats` : (x) => `var. ${show(x)}`;
  const most = Math.max(...units.live.map((u) => u.worth), 1e-30);
  const sliders = units.live.map(({ unit, worth, low, high }, rank) => {
    const id = `unit-${unit}`;
    const input = make("input", { type: "range", id, min: 0, max: STEPS, step: 1 });
    const output = make("output", { for: id });
    const bar = make("span", { class: "worth", "aria-hidden": "true" });
    bar.style.width = percent(worth / most).replace(" ", "");
    const label = make("label", { for: id }, `Unit ${unit + 1}`, make("small", {}, measure(worth)), bar);
    const row = make("div", { class: "unit" }, label, input, output);
    row.hidden = rank >= FIRST_UNITS;
    $("units").append(row);
    const put = () => {
      const value = state.z[unit];
      if (document.activeElement !== input || !input.moved) {
        input.value = Math.round((STEPS * (value - low)) / (high - low || 1));
      }
      input.moved = false;
      output.textContent = brief(value);
      input.setAttribute("aria-valuetext", brief(value));
    };
    input.addEventListener("input", () => {
      const z = state.z.slice();
      z[unit] = low + ((high - low) * input.value) / STEPS;
      input.moved = true;
      go(z, `a code with unit ${unit + 1} at ${brief(z[unit])}`);
    });
    return { put, row };
  });
  if (sliders.length > FIRST_UNITS) {
    const button = $("more");
    const say = (all) => {
      button.textContent = all ? `Only the first ${FIRST_UNITS}` : `All ${sliders.length} sliders`;
      button.setAttribute("aria-expanded", String(all));
      sliders.forEach(({ row }, rank) => { row.hidden = !all && rank >= FIRST_UNITS; });
    };
    button.hidden = false;
    button.addEventListener("click", () => say(button.getAttribute("aria-expanded") === "false"));
    say(false);
  }

  const meanCode = Array.from({ length: k }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += codes[i * k + j];
    return sum / count;
  });
  $("to-mean").addEventListener("click", () => go(meanCode.slice(), "the mean of all codes"));
  $("draw").hidden = !data.prior;
  $("draw").addEventListener("click", () => {
    const length = () => Math.sqrt(-2 * Math.log(1 - Math.random())); // Box and Muller
    const normal = () => length() * Math.cos(2 * Math.PI * Math.random());
    go(meanCode.map(normal), "a code drawn from the prior");
  });

  // ------------------------------------------------------------------ between two samples
  const strip = data.image ? Array.from({ length: STRIP }, () => view.canvas()) : [];
  $("strip").append(...strip);
  $("strip").hidden = !strip.length;
  const mixed = (t) => {
    const [from, to] = [codeOf(picked.a), codeOf(picked.b)];
    return from.map((v, j) => (1 - t) * v + t * to[j]);
  };

  // The words and pictures of the way from A to B, one picture after the other.
  function between() {
    const ends = `A is ${nameOf(picked.a)}; B is ${nameOf(picked.b)}.`;
    $("between-are").textContent = `${ends} They are the last two that you clicked.`;
    atBetween();
    clearTimeout(heldBack);
    const next = (s) => {
      if (s === STRIP) return;
      const t = s / (STRIP - 1);
      view.draw(strip[s], decode(mixed(t)));
      strip[s].setAttribute("aria-label", `Decoded ${percent(t)} of the way from A to B`);
      heldBack = setTimeout(next, 0, s + 1);
    };
    if (strip.length) heldBack = setTimeout(next, cost > SLOW ? 250 : 0, 0);
  }

  function atBetween() {
    const t = $("between").value / 100;
    $("between-is").textContent = percent(t);
    $("between").setAttribute("aria-valuetext", `${percent(t)} of the way`);
    return t;
  }

  function moveBetween() {
    const t = atBetween();
    go(mixed(t), `${percent(t)} of the way from A to B`);
  }
  $("between").addEventListener("input", moveBetween);
  $("swap").addEventListener("click", () => {
    [picked.a, picked.b] = [picked.b, picked.a];
    $("between").value = 100 - $("between").value;
    between();
    moveBetween();
  });

  let playing = 0;
  $("play").addEventListener("click", () => {
    const button = $("play");
    if (playing) return stop();
    const start = performance.now();
    button.textContent = "Stop";
    const frame = (now) => {
      const t = Math.min(1, (now - start) / PLAYED);
      $("between").value = Math.round(100 * t);
      moveBetween();
      playing = t < 1 ? requestAnimationFrame(frame) : stop();
    };
    playing = requestAnimationFrame(frame);
  });
  function stop() {
    cancelAnimationFrame(playing);
    $("play").textContent = "Play";
    playing = 0;
    return 0;
  }

  // ------------------------------------------------------------------ the page checks itself
  function checkDecoder() {
    const { codes: given, stride, expected, allowed, doubles: long } = data.check;
    const right = (long ? doubles : floats)(expected);
    let [difference, at, far] = [0, 0, false];
    for (const code of given) {
      const values = decodeCode(code);
      for (let i = 0; i < values.length; i += stride) {
        const off = Math.abs(values[i] - right[at++]);
        if (!(off <= allowed[i / stride])) far = true;
        if (!(off <= difference)) difference = off; // NaN as well
      }
    }
    const began = performance.now();
    let [runs, each] = [0, 0];
    do {
      decodeCode(given[0]);
      each = (performance.now() - began) / ++runs;
    } while (each * runs < 20);
    const line = $("checked");
    line.dataset.difference = difference;
    line.dataset.milliseconds = each;
    line.textContent = Words.checked(difference, given.length, each);
    if (far) trouble(`its decoder is ${show(difference)} away from NumPy's`);
  }

  // ------------------------------------------------------------------ at first
  $("help").open = matchMedia("(min-width: 40rem)").matches;
  function start() {
    const other = samples.label ? samples.label.findIndex((label) => label !== samples.label[0]) : -1;
    picked.a = 0;
    picked.b = other > 0 ? other : count - 1;
    if (data.own_class) setClass(data.own_class[0]);
    go(codeOf(0), nameOf(0), 0);
    between();
    setTimeout(() => { // when all is seen
      checkDecoder();
      document.documentElement.dataset.ready = "yes";
    }, 50);
  }
  if (data.image) {
    sheet.onload = start;
    sheet.onerror = () => trouble("its pictures cannot be read");
    sheet.src = data.image.sheet;
  } else start();
})();
