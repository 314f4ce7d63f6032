"use strict";
// A window slides over a padded picture. The numbers on the right are a convolution of ones with a
// kernel of ones (how many pixels, not zeros, a window sees), those on the left its transpose of ones
// (how many windows cover a pixel).

(() => {
  const { make } = Moving;
  const outSize = (size, kernel, stride, before, after) =>
    Math.max(0, Math.floor((size + before + after - kernel) / stride) + 1);

  function padSame(size, kernel, stride) {
    const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  }

  const PADDINGS = {
    none: () => [0, 0],
    same: padSame,
    both: (size, kernel) => [Math.floor((kernel - 1) / 2), Math.floor((kernel - 1) / 2)],
  };

  // Along one axis: for each of `length` pixels, how many of the windows cover it.
  function overlaps(windows, kernel, stride, length) {
    const counts = new Array(length).fill(0);
    for (let p = 0; p < windows; p++) for (let i = 0; i < kernel; i++) counts[p * stride + i]++;
    return counts;
  }

  // Along one axis: for each window, how many pixels of the picture (not zeros) it sees.
  const seen = (windows, kernel, stride, before, size) =>
    Array.from({ length: windows }, (_, p) =>
      Math.max(0, Math.min(p * stride + kernel, before + size) - Math.max(p * stride, before)));

  const outer = (a) => a.map((x) => a.map((y) => x * y));

  function compute(size, kernel, stride, padding) {
    const [before, after] = PADDINGS[padding](size, kernel, stride);
    const windows = outSize(size, kernel, stride, before, after);
    const padded = size + before + after;
    const along = overlaps(windows, kernel, stride, padded);
    const conv = outer(seen(windows, kernel, stride, before, size));
    return { before, after, windows, padded, along, counts: outer(along), conv };
  }

  function draw(root, given) {
    let [padding, at, timer] = [given.padding || "same", +(given.window || 0), null];
    const control = (name, low, high, value) =>
      Moving.slider(name, Moving.range(low, high, high - low), +(given[name] || value), () => update());
    const sliders = { size: control("size", 3, 12, 8), kernel: control("kernel", 1, 7, 3), stride: control("stride", 1, 4, 2) };
    const paddings = { none: "none", same: "“same”: TensorFlow, here", both: "both sides alike: PyTorch" };
    const choice = Moving.choice("Padding", paddings, padding, (key) => update((padding = key)));
    const left = make("svg", { role: "img" });
    const right = make("svg", { role: "img" });
    const side = (svg, title) => make("figure", {}, make("figcaption", {}, title), svg);
    const said = make("p", { class: "said", "aria-live": "polite" });
    const play = Moving.button("Play", () => (timer ? stop() : run()));
    const outputs = { size: Moving.output("output size"), counts: make("output", { "data-name": "overlaps" }), before: Moving.output("before"), after: Moving.output("after") };
    root.append(
      make("div", { class: "controls" }, ...Object.values(sliders).map((s) => s.element), choice),
      make("div", { class: "pair" },
        side(left, "The picture with its zeros (dashed): how many windows cover each pixel"),
        side(right, "The output: how many pixels of the picture each window sees")),
      said,
      make("div", { class: "buttons" }, Moving.button("◀ Back", () => go(-1)), Moving.button("Step ▶", () => go(1)), play),
      make("div", { class: "numbers" },
        make("span", {}, "zeros before: ", outputs.before, ", after: ", outputs.after),
        make("span", {}, "output size along an axis: ", outputs.size),
        make("span", {}, "windows over each pixel, along an axis: ", outputs.counts)),
    );

    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
    }

    function run() {
      timer = setInterval(() => go(1), 500);
      play.textContent = "Stop";
    }

    function go(by) {
      at += by;
      update();
    }

    function update() {
      const [size, kernel, stride] = ["size", "kernel", "stride"].map((k) => sliders[k].value);
      const found = compute(size, kernel, stride, padding);
      const { before, after, windows, padded, along, counts, conv } = found;
      const all = windows ** 2;
      at = all ? ((at % all) + all) % all : 0;
      const [p, q] = windows ? [Math.floor(at / windows), at % windows] : [0, 0];
      const outside = (k) => k < before || k >= before + size;
      const top = Math.max(1, ...along) ** 2;
      grid(left, padded, padded, counts, (i, j) => ({ zero: outside(i) || outside(j), dark: counts[i][j] / top }));
      const step = 240 / padded;
      if (windows) {
        const place = { x: q * stride * step + 1.5, y: p * stride * step + 1.5 };
        left.append(make("rect", { ...place, width: kernel * step - 3, height: kernel * step - 3, class: "window" }));
      }
      grid(right, windows, padded, conv, (i, j) => ({ dark: 0, now: i === p && j === q }));
      left.setAttribute("aria-label", `counts along an axis: ${along.join(", ")}`);
      right.setAttribute("aria-label", `${windows} by ${windows} outputs`);
      said.textContent = windows
        ? `Window ${at + 1} of ${all}: from row ${p * stride - before}, column ${q * stride - before} of the picture. It sees ${conv[p][q]} of its pixels.`
        : "No window fits: make the picture or the padding larger, or the kernel smaller.";
      outputs.before.put(before);
      outputs.after.put(after);
      outputs.size.put(windows);
      outputs.counts.textContent = along.slice(before, before + size).join(" ");
    }

    // n by n cells, as large as if the width of the page's column had room for `of` of them.
    function grid(svg, n, of, numbers, look) {
      const step = 240 / of;
      svg.setAttribute("viewBox", `-1 -1 ${n * step + 2} ${n * step + 2}`);
      svg.style.width = `${(100 * n) / of}%`;
      const cells = numbers.flatMap((row, i) => row.map((number, j) => {
        const { zero, dark, now } = look(i, j);
        const [x, y] = [j * step, i * step];
        return make("g", { class: `cell ${zero ? "zero" : ""} ${now ? "now" : ""}` },
          make("rect", { x: x + 0.5, y: y + 0.5, width: step - 1, height: step - 1, style: `--dark: ${dark.toFixed(2)}` }),
          make("text", { x: x + step / 2, y: y + step / 2, "font-size": Math.min(14, step * 0.55), "text-anchor": "middle", "dominant-baseline": "central" }, number));
      }));
      svg.replaceChildren(...cells);
    }
    update();
  }

  Moving.define("windows", draw, { outSize, padSame, overlaps, compute });
})();
