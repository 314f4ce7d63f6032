"use strict";
// The VAE's two terms in a model small enough to know everything: x = W z + noise, two numbers each.
// Every x has a cloud N(mean, variance) in the code; the best clouds for a price of `beta` a nat are
// on paper, and so is log p(x).

(() => {
  const { make } = Moving;
  const [W, S2] = [[2, 0.8], 0.5]; // W is diagonal; S2 is the variance of the noise
  const XS = [10, 70, 130, 190, 250, 310].map((d) => [2.8 * Math.cos((d * Math.PI) / 180), 1.12 * Math.sin((d * Math.PI) / 180)]);
  const sum = (f) => f(0) + f(1);

  // The cloud that is worth most: it minimises (x - W z)^2 / (2 S2) + beta KL.
  function best(x, beta) {
    const variance = W.map((w) => 1 / (1 + (w * w) / (beta * S2)));
    return { mean: variance.map((v, j) => (v * W[j] * x[j]) / (beta * S2)), variance };
  }

  function terms(x, { mean: m, variance: v }) {
    const price = sum((j) => (m[j] ** 2 + v[j] - 1 - Math.log(v[j])) / 2);
    const fit = sum((j) => -((x[j] - W[j] * m[j]) ** 2 + W[j] ** 2 * v[j]) / (2 * S2) - Math.log(2 * Math.PI * S2) / 2);
    const evidence = sum((j) => -(x[j] ** 2) / (2 * (W[j] ** 2 + S2)) - Math.log(2 * Math.PI * (W[j] ** 2 + S2)) / 2);
    const lacks = evidence - fit + price;
    return { price, fit, elbo: fit - price, evidence, lacks: Math.abs(lacks) < 1e-12 ? 0 : lacks };
  }

  // Standard normal numbers, always the same ones (mulberry32 and Box and Muller).
  function dice(seed) {
    let state = seed;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  }

  // The price measured: the mean of log q(z) - log p(z) over the draws, and its standard error.
  function byDice({ mean, variance }, draws) {
    const ratios = draws.map((z) =>
      sum((j) => (z[j] ** 2 - (z[j] - mean[j]) ** 2 / variance[j] - Math.log(variance[j])) / 2));
    const average = ratios.reduce((a, b) => a + b, 0) / ratios.length;
    const spread = ratios.reduce((a, b) => a + (b - average) ** 2, 0) / ratios.length;
    return [average, Math.sqrt(spread / ratios.length)];
  }

  const drawn = ({ mean, variance }, noise, n) =>
    Array.from({ length: n }, () => mean.map((m, j) => m + Math.sqrt(variance[j]) * noise()));

  function draw(root, given) {
    let [chosen, clouds, draws, noise] = [+(given.cloud || 1) - 1, [], [], dice(16)];
    const beta = Moving.slider("price β", Moving.range(0.01, 100, 40, true), +(given.beta || 1), () => settle());
    const faces = Object.fromEntries(XS.map((_, k) => [k, `${k + 1}`]));
    const choice = Moving.choice("Cloud", faces, String(chosen), (key) => { chosen = +key; draws = []; update(); });
    const axis = ["mean", "deviation"].flatMap((what) => [0, 1].map((j) => ({ what, j })));
    const sliders = axis.map(({ what, j }) => {
      const values = what === "mean" ? Moving.range(-3.5, 3.5, 70) : Moving.range(0.05, 2, 60, true);
      return Moving.slider(`${what} ${j + 1}`, values, 1, (value) => {
        if (what === "mean") clouds[chosen].mean[j] = value;
        else clouds[chosen].variance[j] = value ** 2;
        draws = [];
        update();
      });
    });
    const svg = make("svg", { viewBox: "-3.5 -3.5 7 7", role: "img", "aria-label": "the clouds of six examples, two deviations wide, and the prior (dashed)" });
    const names = { fit: "fit", price: "price", elbo: "fit − price", evidence: "log p(x)", lacks: "lacking" };
    const outputs = Object.fromEntries(Object.keys(names).map((key) => [key, Moving.output(key)]));
    const rolled = [Moving.output("price by dice"), Moving.output("standard error")];
    const by = make("span", {}, "price by dice: ", rolled[0], " ± ", rolled[1]);
    const words = { fit: "fit, E log p(x|z): ", price: "price, KL: ", elbo: "fit − price: ", evidence: "log p(x): ", lacks: "lacking: " };
    const said = make("p", { class: "said", "aria-live": "polite" });
    root.append(
      make("div", { class: "controls" }, beta.element, choice, ...sliders.map((s) => s.element)),
      make("div", { class: "square" }, svg), said,
      make("div", { class: "buttons" },
        Moving.button("Best clouds", () => settle()),
        Moving.button("Throw 200 dice", () => { draws = draws.concat(drawn(clouds[chosen], noise, 200)); update(); })),
      make("div", { class: "numbers" }, ...Object.keys(names).map((key) => make("span", {}, words[key], outputs[key])), by),
    );

    function settle() {
      clouds = XS.map((x) => best(x, beta.value));
      draws = [];
      update();
    }

    function update() {
      const cloud = clouds[chosen];
      sliders.forEach((s, k) => s.set(axis[k].what === "mean" ? cloud.mean[axis[k].j] : Math.sqrt(cloud.variance[axis[k].j])));
      const lines = [-2, 0, 2].flatMap((t) => [make("line", { class: "axis", x1: t, x2: t, y1: -3.5, y2: 3.5 }), make("line", { class: "axis", y1: t, y2: t, x1: -3.5, x2: 3.5 })]);
      const shapes = clouds.map(({ mean: m, variance: v }, k) => make("g", { class: `cloud cloud${k} ${k === chosen ? "chosen" : ""}` },
        make("ellipse", { cx: m[0], cy: -m[1], rx: 2 * Math.sqrt(v[0]), ry: 2 * Math.sqrt(v[1]) }),
        make("text", { x: m[0], y: -m[1], "text-anchor": "middle", "dominant-baseline": "central" }, k + 1)));
      const units = [make("text", { x: 3.4, y: -0.1, "text-anchor": "end" }, "unit 1"), make("text", { x: 0.1, y: -3.2 }, "unit 2")];
      svg.replaceChildren(...lines, ...units, make("circle", { class: "prior", r: 2 }), ...shapes, shapes[chosen],
        ...draws.slice(-600).map((z) => make("circle", { class: "die", cx: z[0], cy: -z[1], r: 0.04 })));
      const found = terms(XS[chosen], cloud);
      for (const key of Object.keys(names)) outputs[key].put(found[key]);
      by.hidden = !draws.length;
      if (draws.length) byDice(cloud, draws).forEach((x, k) => rolled[k].put(x));
      said.textContent = found.lacks === 0
        ? "This cloud is the true posterior p(z|x): fit − price is log p(x) itself."
        : `This cloud is not the posterior p(z|x): fit − price lacks ${Moving.show(found.lacks)} nats of log p(x).`;
    }

    // A cloud follows the pointer.
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch") return; // a finger scrolls the page; the sliders are there
      svg.setPointerCapture(event.pointerId);
      const move = (e) => {
        const box = svg.getBoundingClientRect();
        clouds[chosen].mean = [((e.clientX - box.x) / box.width) * 7 - 3.5, 3.5 - ((e.clientY - box.y) / box.height) * 7];
        draws = [];
        update();
      };
      svg.addEventListener("pointermove", move);
      svg.addEventListener("pointerup", () => svg.removeEventListener("pointermove", move), { once: true });
      move(event);
    });
    settle();
  }

  Moving.define("clouds", draw, { best, terms, dice, byDice, drawn, XS });
})();
