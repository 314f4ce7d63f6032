// How values of the data are shown: images on a canvas, rows of a table as bars.

// An element of HTML with attributes, listeners ("onclick") and children; texts stay texts.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// Up to three digits, with a real minus sign.
function show(x) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "–" : x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  const text = size && (size < 1e-3 || size >= 1e5) ? x.toExponential(1) : String(+x.toPrecision(3));
  return text.replace("-", "−");
}

// As many digits as tell the values of a column from `low` to `high` apart.
function showWithin(x, low, high) {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const digits = 3 + Math.floor(Math.log10(largest / (high - low)));
  if (!Number.isFinite(x) || !Number.isFinite(digits) || digits <= 3) return show(x);
  return String(+x.toPrecision(Math.min(digits, 17))).replace("-", "−");
}

// Numbers as `show` has them with at most three digits behind the point, for numbers that change all the time.
const brief = (x) => show(Math.abs(x) < 1000 ? Math.round(1000 * x) / 1000 || 0 : x);

const Pictures = (() => {
  // Images: `about` is the page's "image", `sheet` an Image of the originals.
  function images(about, sheet) {
    const { width, height, channels, low, high, tile: [tileHeight, tileWidth], across } = about;

    function draw(canvas, values) {
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(width, height);
      const shade = (v) => Math.round((255 * (v - low)) / (high - low || 1)); // clamped by the array
      for (let i = 0; i < width * height; i++) {
        let [r, g, b] = [0, 1, 2].map((c) => values[i * channels + c]);
        if (channels !== 3) {
          r = 0;
          for (let c = 0; c < channels; c++) r += values[i * channels + c] / channels;
          g = b = r;
        }
        pixels.data.set([shade(r), shade(g), shade(b), 255], 4 * i);
      }
      context.putImageData(pixels, 0, 0);
    }

    // Draws the original of sample i into a rectangle of any canvas.
    function stamp(context, i, x, y, w, h) {
      const [column, row] = [i % across, Math.floor(i / across)];
      const from = [column * tileWidth, row * tileHeight, tileWidth, tileHeight];
      context.drawImage(sheet, ...from, x, y, w, h);
    }

    function original(canvas, i) {
      canvas.width = tileWidth;
      canvas.height = tileHeight;
      const context = canvas.getContext("2d");
      stamp(context, i, 0, 0, tileWidth, tileHeight);
    }

    const canvas = () => make("canvas", { class: "picture", role: "img", width, height });

    // Decoded and original side by side.
    function pair(root) {
      const [decoded, given] = [canvas(), canvas()];
      const figure = make("figure", {}, given, make("figcaption", {}, "Original"));
      root.append(make("figure", {}, decoded, make("figcaption", {}, "Decoded")), figure);
      return (values, i, words) => {
        draw(decoded, values);
        decoded.setAttribute("aria-label", `Decoded: ${words}`);
        figure.hidden = i === null;
        if (i === null) return;
        original(given, i);
        given.setAttribute("aria-label", `Original: ${words}`);
      };
    }

    return { draw, stamp, original, canvas, pair, ratio: tileWidth / tileHeight };
  }

  // Rows of a table: `about` is the page's "table", `rows` its numbers.
  function tables({ columns, low, high, left_out: leftOut }, rows) {
    const n = columns.length;
    function share(v, j) {
      const part = (v - low[j]) / (high[j] - low[j] || 1);
      return `${(100 * Math.min(1, Math.max(0, part))).toFixed(1)}%`;
    }

    function pair(root) {
      const cells = columns.map((name, j) => {
        const cell = {
          bar: make("div", { class: "bar" }),
          originalBar: make("div", { class: "bar original" }),
          decoded: make("td", { class: "number" }),
          original: make("td", { class: "number" }),
        };
        const bars = make("td", { class: "bars", "aria-hidden": "true" }, cell.bar, cell.originalBar);
        cell.row = make("tr", {}, make("th", { scope: "row" }, name), cell.decoded, cell.original, bars);
        return cell;
      });
      const head = ["Column", "Decoded", "Original"].map((t) => make("th", { scope: "col" }, t));
      const more = leftOut ? ` ${leftOut} more columns are left out.` : "";
      const says = "Bars go from the least to the largest value of a column, decoded above the " +
        `original.${more}`;
      const table = make("table", {}, make("caption", {}, says),
        make("thead", {}, make("tr", {}, ...head, make("td", { "aria-hidden": "true" }))),
        make("tbody", {}, ...cells.map((cell) => cell.row)));
      const about = { class: "scroll", tabindex: 0, role: "group", "aria-label": "Decoded columns" };
      root.append(make("figure", { class: "wide" }, make("div", about, table)));
      return (values, i) => {
        cells.forEach((cell, j) => {
          cell.decoded.textContent = showWithin(values[j], low[j], high[j]);
          cell.bar.style.width = share(values[j], j);
          cell.original.textContent = i === null ? "" : showWithin(rows[i * n + j], low[j], high[j]);
          cell.originalBar.hidden = i === null;
          if (i !== null) cell.originalBar.style.width = share(rows[i * n + j], j);
        });
      };
    }

    return { pair };
  }

  return { images, tables };
})();
