// The axis of time.
const STEPS = [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 3e7, 6e7, 12e7, 3e8, 6e8, 18e8, 36e8, 72e8, 216e8, 432e8, 864e8];

/** Times that are marked, about one every 90 pixels. */
function ticks(view, width) {
  const least = ((view.end - view.begin) / width) * 90;
  const step = STEPS.find((each) => each >= least) || STEPS[STEPS.length - 1];
  const marked = [];
  for (let us = Math.ceil(view.begin / step) * step; us <= view.end; us += step) marked.push(us);
  return { marked, step };
}

function tickText(us, step) {
  if (us >= 6e7 && step >= 1e6) return clock(us).replace(/\.0$/, "");
  return `${(us / 1e6).toFixed(Math.max(0, -Math.floor(Math.log10(step / 1e6) + 1e-9)))} s`;
}

function drawAxis(context, view, width, top, { line, muted }) {
  const { marked, step } = ticks(view, width);
  for (const us of marked) {
    const x = ((us - view.begin) / (view.end - view.begin)) * width;
    context.fillStyle = line;
    context.fillRect(Math.min(Math.round(x), width - 1), 0, 1, top);
    const text = tickText(us, step);
    const half = context.measureText(text).width / 2;
    context.fillStyle = muted;
    context.fillText(text, Math.min(Math.max(x, half), width - half), top + 11);
  }
}
