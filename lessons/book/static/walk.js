"use strict";
// Backpropagation through the graph of the lesson, y = (c + d) + c d with c = a + b, d = a b: step by
// step, each node after all its users, or at once, or in the reader's own order.

(() => {
  const { make, show } = Moving;
  const PLACES = { y: [220, 34], s: [120, 122], p: [320, 122], c: [120, 226], d: [320, 226], a: [120, 322], b: [320, 322] };
  const LABELS = { y: "y", s: "c + d", p: "c · d", c: "c = a + b", d: "d = a · b", a: "a", b: "b" };

  // Each node's value, parents and local slopes.
  function graph(a, b) {
    const [c, d] = [a + b, a * b];
    const node = (value, parents = [], slopes = []) => ({ value, parents, slopes });
    return {
      y: node(c + d + c * d, ["s", "p"], [1, 1]),
      s: node(c + d, ["c", "d"], [1, 1]),
      p: node(c * d, ["c", "d"], [d, c]),
      c: node(c, ["a", "b"], [1, 1]),
      d: node(d, ["a", "b"], [b, a]),
      a: node(a),
      b: node(b),
    };
  }

  // The nodes from `last` on, each after all that use it: depth first, parents before, reversed.
  function topological(nodes, last) {
    const done = [];
    const visit = (name) => {
      if (done.includes(name)) return;
      nodes[name].parents.forEach(visit);
      done.push(name);
    };
    visit(last);
    return done.reverse();
  }

  // What is passed on, in order: [from, number of the parent].
  const pass = (nodes, name) => nodes[name].parents.map((_, k) => [name, k]);
  const waiting = (nodes) => topological(nodes, "y").flatMap((name) => pass(nodes, name));
  const atOnce = (nodes, name = "y") =>
    nodes[name].parents.flatMap((parent, k) => [[name, k], ...atOnce(nodes, parent)]);

  // The slopes after these passes, and each share that was passed.
  function replay(nodes, passes) {
    const slopes = { y: 1 };
    const shares = passes.map(([name, k]) => {
      const [parent, slope] = [nodes[name].parents[k], nodes[name].slopes[k]];
      const share = (slopes[name] || 0) * slope;
      slopes[parent] = (slopes[parent] || 0) + share;
      return { name, parent, slope, has: slopes[name] || 0, share };
    });
    return { slopes, shares };
  }

  // dy/da and dy/db from two values of y each.
  function measured(a, b, h = 1e-5) {
    const y = (a, b) => graph(a, b).y.value;
    return [(y(a + h, b) - y(a - h, b)) / (2 * h), (y(a, b + h) - y(a, b - h)) / (2 * h)];
  }

  function draw(root, given) {
    const values = Moving.range(-4, 4, 16);
    let [order, at, own] = [given.order || "waits", +(given.step || 0), []];
    const a = Moving.slider("a", values, +(given.a || 2), () => restart());
    const b = Moving.slider("b", values, +(given.b || 3), () => restart());
    const orders = { waits: "after all users, once", once: "at once, at every visit", own: "your own order" };
    const choice = Moving.choice("A node passes on", orders, order, (key) => restart((order = key)));
    const buttons = {
      back: Moving.button("◀ Back", () => go(-1)),
      step: Moving.button("Step ▶", () => go(1)),
      end: Moving.button("To the end", () => go(Infinity)),
      again: Moving.button("Start again", () => restart()),
    };
    const svg = make("svg", { viewBox: "-10 0 460 356", role: "img", "aria-label": "the graph of y, with the slope of y in each node" });
    const said = make("p", { class: "said", "aria-live": "polite" });
    const outputs = { a: Moving.output("dy/da"), b: Moving.output("dy/db") };
    const real = { a: Moving.output("measured dy/da"), b: Moving.output("measured dy/db") };
    const row = (k) => make("span", {}, `dy/d${k}: `, outputs[k], ", measured: ", real[k]);
    root.append(
      make("div", { class: "controls" }, choice, a.element, b.element),
      svg, said,
      make("div", { class: "buttons" }, ...Object.values(buttons)),
      make("div", { class: "numbers" }, row("a"), row("b")),
    );

    function restart() {
      [at, own] = [0, []];
      update();
    }

    function go(by) {
      at = Math.max(0, at + by);
      if (order === "own") own = own.slice(0, at);
      update();
    }

    function update() {
      const nodes = graph(a.value, b.value);
      const all = { waits: waiting, once: atOnce }[order]?.(nodes) || own.flatMap((name) => pass(nodes, name));
      const right = replay(nodes, waiting(nodes)).slopes;
      const inner = Object.keys(nodes).filter((name) => nodes[name].parents.length);
      if (order === "own") at = own.length;
      else at = Math.min(at, all.length);
      const passes = order === "own" ? all : all.slice(0, at);
      const { slopes, shares } = replay(nodes, passes);
      const ended = order === "own" ? own.length === inner.length : at === all.length;
      const newest = order === "own" ? shares.slice(-2) : shares.slice(-1);
      const wrong = (name) =>
        ended ? slopes[name] !== right[name] : shares.some((s) => s.name === name && s.has !== right[name]);
      svg.replaceChildren(...lines(nodes, newest), ...inner.concat("a", "b").map(circle));
      said.textContent = sentence();
      for (const [k, number] of [["a", 0], ["b", 1]]) {
        outputs[k].put(slopes[k] || 0);
        outputs[k].className = ended ? (slopes[k] === right[k] ? "right" : "wrong") : "";
        real[k].put(measured(a.value, b.value)[number]);
      }
      buttons.back.disabled = at === 0;
      buttons.step.disabled = buttons.end.disabled = ended || order === "own";

      function circle(name) {
        const [x, y] = PLACES[name];
        const free = order === "own" && nodes[name].parents.length && !own.includes(name);
        const press = () => free && (own.push(name), update(), svg.querySelector("[tabindex]")?.focus());
        const state = wrong(name) ? "wrong" : newest.some((s) => s.name === name) ? "now" : "";
        const action = free && { tabindex: 0, role: "button", "aria-label": `let ${LABELS[name]} pass on`, onclick: press };
        const keys = { onkeydown: (e) => ["Enter", " "].includes(e.key) && (e.preventDefault(), press()) };
        const slope = slopes[name] === undefined ? "" : show(slopes[name]);
        const left = x < 220 ? [x - 34, "end"] : [x + 34, "start"];
        const value = `${nodes[name].parents.length ? LABELS[name].split(" = ")[0] : name} = ${show(nodes[name].value)}`;
        return make("g", { class: `node ${state} ${free ? "free" : ""}`, "data-node": name, ...(action || {}), ...(free ? keys : {}) },
          make("circle", { cx: x, cy: y, r: 27 }),
          make("text", { x, y: y + 5, "text-anchor": "middle" }, slope),
          make("text", { x: left[0], y: y + (LABELS[name].includes("=") ? -4 : 5), "text-anchor": left[1], class: "label" }, LABELS[name].includes("=") ? LABELS[name] : value),
          LABELS[name].includes("=") && make("text", { x: left[0], y: y + 14, "text-anchor": left[1], class: "label" }, `= ${show(nodes[name].value)}`) || "",
        );
      }

      function sentence() {
        if (!passes.length) return order === "own" ? "Press a node, and it passes on what it has. Which first?" : "y has slope 1 with respect to itself.";
        const words = newest.map((s) => `${show(s.has)} × ${show(s.slope)} = ${show(s.share)} to ${s.parent === "s" ? LABELS.s : s.parent === "p" ? LABELS.p : s.parent}`);
        const who = LABELS[newest[0].name].split(" = ")[0];
        const place = order === "own" ? "" : `Step ${at} of ${all.length}: `;
        const text = `${place}${who} passes on ${words.join(" and ")}.`;
        if (!ended) return text;
        const early = inner.filter((name) => shares.some((s) => s.name === name && s.has !== right[name]));
        const names = early.map((name) => LABELS[name].split(" = ")[0]).join(", ");
        const twice = order === "once" ? `${names} passed on more than once` : `${names} passed on before all users had reported`;
        return `${text} The end: ${early.length ? `wrong, ${twice}.` : "right."}`;
      }
    }

    function lines(nodes, newest) {
      return Object.keys(nodes).flatMap((name) => nodes[name].parents.map((parent, k) => {
        const [[x, y], [u, v]] = [PLACES[name], PLACES[parent]];
        const length = Math.hypot(u - x, v - y);
        const along = (d) => [x + ((u - x) * d) / length, y + ((v - y) * d) / length];
        const [from, to, mark] = [along(28), along(length - 28), along(x === u ? 50 : 62)];
        const now = newest.some((s) => s.name === name && s.parent === parent);
        return make("g", { class: `edge ${now ? "now" : ""}` },
          make("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }),
          make("text", { x: mark[0], y: mark[1] + 4, "text-anchor": "middle" }, `×${show(nodes[name].slopes[k])}`));
      }));
    }
    update();
  }

  Moving.define("walk", draw, { graph, topological, waiting, atOnce, replay, measured });
})();
