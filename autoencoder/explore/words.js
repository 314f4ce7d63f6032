// The sentences of the page that depend on what it holds.

const Words = (() => {
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const percent = (x) => `${Math.round(100 * x)} %`;
  const size = (bytes) => (bytes < 1e6 ? `${show(bytes / 1e3)} kB` : `${show(bytes / 1e6)} MB`);

  function map(k, plane) {
    if (k === 1) {
      return "The code is one number, from left to right. How high a point stands means nothing.";
    }
    if (k === 2) return "The code's two numbers: unit 1 from left to right, unit 2 upwards.";
    const [first, second = 0] = plane.explained;
    return `The codes have ${k} numbers. The map is their principal component analysis: the plane ` +
      `in which they spread most, ${percent(first)} of the variance to the right and ` +
      `${percent(second)} upwards; codes that differ otherwise lie on top of each other. An empty ` +
      "place is a code in that plane.";
  }

  function units({ measure, dead, live, left_out: rest }) {
    if (!live.length) return "No unit tells anything about a sample: all codes are nearly the same.";
    const order = measure === "KL"
      ? "their divergence from the prior (KL), the nats that each tells about a sample"
      : "their variance over the samples";
    const verb = dead === 1 ? ["changes", "has"] : ["change", "have"];
    const still = `${plural(dead, "unit")} that hardly ${verb[0]} with the sample ${verb[1]} no slider.`;
    const more = `${plural(rest, "more unit")} ${rest === 1 ? "has" : "have"} none either.`;
    return [`The units in the order of ${order}.`, dead && still, rest && more].filter(Boolean).join(" ");
  }

  function notes({ program, weights, quantised, image }) {
    const steps = plural(program.steps.length, "step");
    return [
      `Decoded here by ${steps} in JavaScript, with ${size(weights.bytes)} of weights.`,
      weights.half &&
        `They are rounded to float16, which changes what is decoded by up to ${show(weights.error)}.`,
      quantised && "The encoder only gives vectors of a codebook; other codes are none that it makes.",
      image && ![1, 3].includes(image.channels) &&
        `Of the ${image.channels} channels the mean is shown.`,
      image && "Shown numbers are limited to the range of the originals.",
    ].filter(Boolean).join(" ");
  }

  const checked = (difference, count, milliseconds) =>
    `Checked just now: what this page decodes is within ${show(difference)} of what NumPy decoded ` +
    `when it was written, on ${plural(count, "sample")}. A decode takes ${show(milliseconds)} ms.`;

  return { plural, percent, map, units, notes, checked };
})();
