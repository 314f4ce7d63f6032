"use strict";
// The length of Adam's steps, divided by lr: corrected, not corrected, corrected without the exponent.

(() => {
  const { make } = Moving;
  const N = 4000;
  const GRADIENTS = {
    constant: () => 1,
    turning: (t) => (t % 2 ? 1 : -1), // its sign turns at each step
    spike: (t) => (t === 100 ? 30 : 1), // one step of thirty times the usual size
  };

  // After t = 1 ... N: m, v and the three lengths |step| / lr; epsilon is 0.
  function lengths(beta1, beta2, gradient) {
    let [m, v] = [0, 0];
    const rows = [];
    for (let t = 1; t <= N; t++) {
      const g = GRADIENTS[gradient](t);
      m = beta1 * m + (1 - beta1) * g;
      v = beta2 * v + (1 - beta2) * g * g;
      const step = (c1, c2) => Math.abs(m / c1) / Math.sqrt(v / c2);
      rows.push({
        t, m, v,
        corrected: step(1 - beta1 ** t, 1 - beta2 ** t),
        uncorrected: step(1, 1),
        noExponent: step(1 - beta1, 1 - beta2),
      });
    }
    return rows;
  }

  // The step after which the uncorrected one stays within 5 % of the corrected one; N if none.
  function settled(rows) {
    const off = rows.filter((r) => Math.abs(r.uncorrected / r.corrected - 1) > 0.05);
    return off.length ? off[off.length - 1].t : 0;
  }

  const CURVES = { corrected: "corrected", uncorrected: "no correction", noExponent: "no exponent" };

  function draw(root, given) {
    let gradient = given.gradient || "constant";
    const betas = (list) => list.map((x) => +(1 - x).toFixed(6));
    const near = [1, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
    const exact = (x) => String(x);
    const beta1 = Moving.slider("β₁", betas(near.slice(0, 12)), +(given.beta1 || 0.9), () => update(), exact);
    const beta2 = Moving.slider("β₂", betas(near), +(given.beta2 || 0.999), () => update(), exact);
    const times = [...new Set(Moving.range(1, N, 120, true).map(Math.round))];
    const time = Moving.slider("step t", times, +(given.t || 10), () => update());
    const kinds = { constant: "always 1", turning: "1, −1, 1, −1, ...", spike: "1, but 30 at step 100" };
    const choice = Moving.choice("The gradient", kinds, gradient, (key) => update((gradient = key)));
    const svg = make("svg", { viewBox: "0 0 440 250", role: "img" });
    const names = { m: "m", v: "v", corrected: "corrected", uncorrected: "no correction", noExponent: "no exponent" };
    const outputs = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, Moving.output(name)]));
    const late = Moving.output("settled");
    const said = make("p", { class: "said", "aria-live": "polite" });
    const legend = Object.entries(CURVES).map(([key, name]) => make("span", {}, make("i", { class: `key ${key}` }), `${name}: `, outputs[key]));
    root.append(
      make("div", { class: "controls" }, beta1.element, beta2.element, time.element, choice),
      svg,
      make("div", { class: "numbers" }, ...legend, make("span", {}, "m: ", outputs.m, ", v: ", outputs.v)),
      said,
    );
    const X = (t) => 44 + (386 * Math.log(t)) / Math.log(N);

    function update() {
      const rows = lengths(beta1.value, beta2.value, gradient);
      const highest = Math.max(...rows.flatMap((r) => Object.keys(CURVES).map((key) => r[key])).filter(Number.isFinite));
      const top = Math.min(12, Math.max(1.5, highest * 1.05));
      const Y = (x) => 210 - (195 * Math.min(x, top * 1.1)) / top;
      const path = (key) => times.map((t, k) => `${k ? "L" : "M"}${X(t).toFixed(1)},${Y(rows[t - 1][key]).toFixed(1)}`).join("");
      const ticks = [1, 10, 100, 1000].map((t) => make("g", { class: "axis" },
        make("line", { x1: X(t), x2: X(t), y1: 15, y2: 214 }), make("text", { x: X(t), y: 228, "text-anchor": "middle" }, t)));
      const every = top > 6 ? 2 : top > 2 ? 1 : 0.5;
      const marks = Moving.range(0, Math.floor(top / every) * every, Math.floor(top / every)).map((y) => make("g", { class: "axis" },
        make("line", { x1: 40, x2: 430, y1: Y(y), y2: Y(y) }), make("text", { x: 34, y: Y(y) + 4, "text-anchor": "end" }, y)));
      const now = rows[time.value - 1];
      const dots = Object.keys(CURVES).map((key) => make("circle", { class: `dot ${key}`, cx: X(now.t), cy: Y(now[key]), r: 4 }));
      svg.replaceChildren(...ticks, ...marks,
        ...Object.keys(CURVES).reverse().map((key) => make("path", { class: `curve ${key}`, d: path(key) })),
        make("line", { class: "cursor", x1: X(now.t), x2: X(now.t), y1: 15, y2: 210 }), ...dots,
        make("text", { x: 430, y: 245, "text-anchor": "end" }, "step t"), make("text", { x: 44, y: 11 }, "length of the step / lr"));
      svg.setAttribute("aria-label", `the length of Adam's steps against t, up to ${Moving.show(highest)} lr`);
      for (const key of Object.keys(outputs)) outputs[key].put(now[key]);
      late.put(settled(rows));
      said.replaceChildren(...(late.dataset.value === "0"
        ? ["Without correction every step is within 5 % of the corrected one.", late]
        : ["The last step that is more than 5 % off without correction: ", late, +late.dataset.value === N ? " or later." : "."]));
      late.hidden = late.dataset.value === "0";
    }
    update();
  }

  Moving.define("adam", draw, { lengths, settled });
})();
