"use strict";
// What the figures that run in the page share: elements, controls, numbers. A figure is
// Moving.define(name, (root, given) => {...}), which fills each <div class="moving" data-figure=name>;
// `given` are settings from the address, as in lesson.html?kernel=4&stride=2, so one can be linked to.

const Moving = {
  makers: {},
  models: {}, // name -> functions that compute and draw nothing; the tests compare them with NumPy

  define(name, make, model) {
    Moving.makers[name] = make;
    Moving.models[name] = model;
  },

  // An element of HTML, or of SVG for the names that only SVG has.
  make(name, attributes = {}, ...children) {
    const space = "svg g circle ellipse rect line path text title".split(" ").includes(name);
    const element = space
      ? document.createElementNS("http://www.w3.org/2000/svg", name)
      : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== undefined && value !== false) element.setAttribute(key, value);
    }
    element.append(...children.filter((c) => c !== undefined && c !== null));
    return element;
  },

  // Up to four digits, with a real minus sign.
  show(x) {
    if (!Number.isFinite(x)) return Number.isNaN(x) ? "not a number" : x > 0 ? "∞" : "−∞";
    const size = Math.abs(x);
    const text = size && (size < 1e-3 || size >= 1e6) ? x.toExponential(2) : String(+x.toPrecision(4));
    return text.replace("-", "−");
  },

  // A number in the page under a name; the whole of it is in data-value.
  output(name) {
    const element = Moving.make("output", { "data-name": name });
    element.put = (x) => {
      element.dataset.value = x;
      element.textContent = Moving.show(x);
    };
    return element;
  },

  // A slider over `values`, a list of numbers: {element, value, set}.
  slider(label, values, value, changed, show = Moving.show) {
    const nearest = (x) =>
      values.reduce((best, v, k) => (Math.abs(v - x) < Math.abs(values[best] - x) ? k : best), 0);
    const input = Moving.make("input", { type: "range", min: 0, max: values.length - 1, step: 1 });
    const shown = Moving.make("span", { class: "value" });
    const control = { element: Moving.make("label", {}, Moving.make("span", {}, label), input, shown) };
    control.set = (x) => {
      input.value = nearest(x);
      control.value = values[input.value];
      shown.textContent = show(x);
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    control.set(value);
    input.addEventListener("input", () => {
      control.set(values[input.value]);
      changed(control.value);
    });
    return control;
  },

  // Radio buttons: `options` is {value: label}.
  choice(legend, options, value, changed) {
    const group = `moving-${(Moving.groups = (Moving.groups || 0) + 1)}`;
    const buttons = Object.entries(options).map(([key, label]) => {
      const attributes = { type: "radio", name: group, value: key, checked: key === value && "" };
      const input = Moving.make("input", { ...attributes, onchange: () => changed(key) });
      return Moving.make("label", { class: "radio" }, input, label);
    });
    return Moving.make("fieldset", {}, Moving.make("legend", {}, legend), ...buttons);
  },

  button(label, pressed) {
    return Moving.make("button", { type: "button", onclick: pressed }, label);
  },

  // The numbers from `low` to `high` in `steps` equal steps, or with equal ratios.
  range(low, high, steps, ratio = false) {
    const at = (k) => (ratio ? low * (high / low) ** (k / steps) : low + ((high - low) * k) / steps);
    return Array.from({ length: steps + 1 }, (_, k) => +at(k).toPrecision(12));
  },

  start() {
    const given = Object.fromEntries(new URLSearchParams(location.search));
    for (const root of document.querySelectorAll(".moving[data-figure]")) {
      root.setAttribute("role", "group");
      Moving.makers[root.dataset.figure](root, given);
    }
  },
};

document.addEventListener("DOMContentLoaded", Moving.start);
