// The map: a canvas with the samples at their places, for mouse, touch and keys.

const CodeMap = (() => {
  const COLOURS = 10;
  const SHAPES = [ // paths around (0, 0) that all look about as large
    (c, r) => c.arc(0, 0, r, 0, 2 * Math.PI),
    (c, r) => c.rect(-0.88 * r, -0.88 * r, 1.76 * r, 1.76 * r),
    (c, r) => polygon(c, [[0, -1.2 * r], [1.1 * r, 0.8 * r], [-1.1 * r, 0.8 * r]]),
    (c, r) => polygon(c, [[0, -1.25 * r], [1.25 * r, 0], [0, 1.25 * r], [-1.25 * r, 0]]),
    (c, r) => polygon(c, [[0, 1.2 * r], [1.1 * r, -0.8 * r], [-1.1 * r, -0.8 * r]]),
    (c, r) => plus(c, r, 0),
    (c, r) => plus(c, r, Math.PI / 4),
  ];

  function polygon(context, corners) {
    corners.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
  }

  function plus(context, r, angle) {
    const [a, b] = [1.3 * r, 0.45 * r];
    const corners = [
      [b, a], [b, b], [a, b], [a, -b], [b, -b], [b, -a],
      [-b, -a], [-b, -b], [-a, -b], [-a, b], [-b, b], [-b, a],
    ];
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    polygon(context, corners.map(([x, y]) => [x * cos - y * sin, x * sin + y * cos]));
  }

  // The marker of a label (null: no labels) at a place of a canvas.
  function marker(context, label, x, y, r, colour) {
    context.save();
    context.translate(x, y);
    context.fillStyle = colour(`m${(label ?? 0) % COLOURS}`);
    context.beginPath();
    SHAPES[(label ?? 0) % SHAPES.length](context, r);
    context.fill();
    context.restore();
  }

  // Round numbers for some ticks between two values.
  function ticks(low, high, count) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
    const result = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) result.push(k * step);
    return result;
  }

  // `root` holds a canvas. `points` is x0 y0 x1 y1 ...; `labels` numbers or null. The listeners
  // `look(i, byKey)` (i null: no sample), `pick(i)` and `place(x, y)` hear what is done.
  function create(root, { points, labels, even, stamp, ratio, listeners }) {
    const canvas = root.querySelector("canvas");
    const context = canvas.getContext("2d");
    const count = points.length / 2;
    const state = { cursor: null, picked: [], here: null, only: null, pictures: false };
    let [width, height, scale, toX, toY, fromX, fromY] = [0, 0, 1, null, null, null, null];
    let awaited = false;

    const style = getComputedStyle(root); // live: it follows the reader's settings
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const range = (axis) => {
      let [low, high] = [Infinity, -Infinity];
      for (let i = axis; i < points.length; i += 2) {
        low = Math.min(low, points[i]);
        high = Math.max(high, points[i]);
      }
      return high > low ? [low, high] : [low - 1, high + 1];
    };
    const [xs, ys] = [range(0), range(1)];

    // Both axes have the same scale, unless one of them means nothing (`even`).
    function fit() {
      const ratioOfPixels = window.devicePixelRatio || 1;
      width = canvas.clientWidth;
      height = canvas.clientHeight;
      canvas.width = Math.round(width * ratioOfPixels);
      canvas.height = Math.round(height * ratioOfPixels);
      context.setTransform(ratioOfPixels, 0, 0, ratioOfPixels, 0, 0);
      const margin = 30;
      let [sx, sy] = [(width - 2 * margin) / (xs[1] - xs[0]), (height - 2 * margin) / (ys[1] - ys[0])];
      if (even) sx = sy = Math.min(sx, sy);
      const [mx, my] = [(xs[0] + xs[1]) / 2, (ys[0] + ys[1]) / 2];
      toX = (x) => width / 2 + (x - mx) * sx;
      toY = (y) => height / 2 - (y - my) * sy;
      fromX = (px) => mx + (px - width / 2) / sx;
      fromY = (py) => my - (py - height / 2) / sy;
      draw();
    }

    function draw() {
      if (awaited) return;
      awaited = true;
      requestAnimationFrame(() => {
        awaited = false;
        paint();
      });
    }

    function paint() {
      if (!width) return;
      context.clearRect(0, 0, width, height);
      frame();
      const r = count > 800 ? 3 : count > 200 ? 4 : 5;
      const dim = (label) => state.only !== null && label !== state.only;
      for (let i = 0; i < count; i++) {
        const label = labels ? labels[i] : null;
        context.globalAlpha = dim(label) ? 0.12 : count > 800 ? 0.75 : 0.9;
        marker(context, label, toX(points[2 * i]), toY(points[2 * i + 1]), r, colour);
      }
      context.globalAlpha = 1;
      if (state.pictures) stampAll((i) => labels && dim(labels[i]));
      state.picked.forEach((i, k) => i !== null && ring(i, "AB"[k]));
      if (state.cursor !== null) ring(state.cursor, "");
      if (state.here) cross(toX(state.here[0]), toY(state.here[1]));
    }

    // The originals at their places, framed in the colour of their label; none over another.
    function stampAll(left) {
      const h = Math.max(22, Math.min(34, width / 14));
      const w = h * ratio;
      const placed = [];
      for (let i = 0; i < count; i++) {
        const [x, y] = [toX(points[2 * i]), toY(points[2 * i + 1])];
        if (left(i) || placed.some(([a, b]) => Math.abs(a - x) < w + 5 && Math.abs(b - y) < h + 5)) continue;
        placed.push([x, y]);
        context.fillStyle = colour(`m${(labels ? labels[i] : 0) % COLOURS}`);
        context.fillRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
        stamp(context, i, x - w / 2, y - h / 2, w, h);
      }
    }

    function frame() {
      context.font = "11px system-ui, sans-serif";
      context.lineWidth = 1;
      context.strokeStyle = colour("line");
      context.fillStyle = colour("quiet");
      context.textAlign = "center";
      for (const x of ticks(fromX(20), fromX(width - 20), 6)) {
        line(toX(x), 0, toX(x), x ? 5 : height);
        line(toX(x), height - 5, toX(x), height);
        context.fillText(show(x), toX(x), height - 8);
      }
      context.textAlign = "left";
      if (!even) return;
      for (const y of ticks(fromY(height - 20), fromY(20), 5)) {
        line(0, toY(y), y ? 5 : width, toY(y));
        context.fillText(show(y), 8, toY(y) + 4);
      }
    }

    function line(x, y, toX, toY) {
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(toX, toY);
      context.stroke();
    }

    // A ring that is seen on points of any colour, and a letter beside it.
    function ring(i, letter) {
      const [x, y] = [toX(points[2 * i]), toY(points[2 * i + 1])];
      for (const [name, wide] of [["page", 5], ["text", 2]]) {
        context.strokeStyle = colour(name);
        context.lineWidth = wide;
        context.beginPath();
        context.arc(x, y, 9, 0, 2 * Math.PI);
        context.stroke();
      }
      if (!letter) return;
      context.font = "bold 14px system-ui, sans-serif";
      context.lineWidth = 4;
      context.strokeStyle = colour("page");
      context.fillStyle = colour("text");
      const [tx, ty] = [x + 11 > width - 14 ? x - 22 : x + 11, y < 20 ? y + 20 : y - 8];
      context.strokeText(letter, tx, ty);
      context.fillText(letter, tx, ty);
    }

    function cross(x, y) {
      for (const [name, wide] of [["page", 6], ["accent", 2.5]]) {
        context.strokeStyle = colour(name);
        context.lineWidth = wide;
        line(x - 10, y, x + 10, y);
        line(x, y - 10, x, y + 10);
      }
    }

    // ---------------------------------------------------------------- what is done to it
    function nearest(px, py, most) {
      let [best, distance] = [null, most * most];
      for (let i = 0; i < count; i++) {
        const d = (toX(points[2 * i]) - px) ** 2 + (toY(points[2 * i + 1]) - py) ** 2;
        if (d <= distance) [best, distance] = [i, d];
      }
      return best;
    }

    // The nearest sample in a direction, a step aside counting twice; those straight aside never.
    function beyond(from, dx, dy) {
      let [best, least] = [null, Infinity];
      const [x, y] = [toX(points[2 * from]), toY(points[2 * from + 1])];
      for (let i = 0; i < count; i++) {
        const [ex, ey] = [toX(points[2 * i]) - x, toY(points[2 * i + 1]) - y];
        const along = ex * dx + ey * dy;
        const aside = Math.abs(ex * dy - ey * dx);
        if (i === from || along <= 0 || aside > 2 * along) continue;
        const cost = along + 2 * aside;
        if (cost < least) [best, least] = [i, cost];
      }
      return best;
    }

    function look(i, byKey = false) {
      if (i === state.cursor && !byKey) return;
      state.cursor = i;
      listeners.look(i, byKey);
      draw();
    }

    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let dragging = false;
    canvas.addEventListener("pointermove", (event) => {
      const [px, py] = place(event);
      if (dragging) listeners.place(fromX(px), fromY(py));
      else look(nearest(px, py, 14));
    });
    canvas.addEventListener("pointerleave", () => { dragging = false; look(null); });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const [px, py] = place(event);
      const i = nearest(px, py, event.pointerType === "touch" ? 20 : 14);
      if (i !== null) {
        look(i);
        listeners.pick(i);
      } else {
        dragging = event.pointerType === "mouse";
        listeners.place(fromX(px), fromY(py));
      }
    });
    window.addEventListener("pointerup", () => { dragging = false; });

    const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const from = state.cursor ?? state.picked[1] ?? 0;
      if (event.key in DIRECTIONS) look(beyond(from, ...DIRECTIONS[event.key]) ?? from, true);
      else if (event.key === "Home") look(0, true);
      else if (event.key === "End") look(count - 1, true);
      else if (event.key === "Enter" || event.key === " ") listeners.pick(from);
      else return;
      event.preventDefault();
    });
    root.addEventListener("blur", () => look(null));

    new ResizeObserver(fit).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    fit();
    return {
      set(changes) {
        Object.assign(state, changes);
        draw();
      },
      at: (i) => [toX(points[2 * i]), toY(points[2 * i + 1]), width],
      marker: (context, label, x, y, r) => marker(context, label, x, y, r, colour),
    };
  }

  return { create };
})();
