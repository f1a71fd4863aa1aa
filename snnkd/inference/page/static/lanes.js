// The lanes of the timeline: event rate, an area for each emotion, strips of segments, energy.
const LANE_GAP = 5;

/** Which lanes there are, from top to bottom, each with its place. */
function layLanes(data, known) {
  const lanes = [{ kind: "rate", label: "events per second", height: 44 }];
  data.emotions.forEach((label, k) => lanes.push({ kind: "emotion", label, k, height: 30 }));
  lanes.push({ kind: "strip", label: "told", pieces: data.segments, height: 24 });
  if (known.length) lanes.push({ kind: "strip", label: "true", pieces: known, height: 24 });
  if (data.joules) lanes.push({ kind: "energy", label: "power", height: 34 });
  let top = 6;
  for (const lane of lanes) {
    lane.top = top;
    top += lane.height + LANE_GAP;
  }
  return { lanes, height: top + 20 };
}

/** First and last window under each column of pixels. */
function windowsUnder(data, view, width) {
  const first = new Int32Array(width);
  const last = new Int32Array(width);
  const step = (view.end - view.begin) / width;
  for (let x = 0; x < width; x++) {
    first[x] = data.windowAt(view.begin + x * step);
    last[x] = Math.max(first[x], data.windowAt(view.begin + (x + 1) * step - 1));
  }
  return { first, last };
}

/** The mean over the windows under each column. */
function means(under, value) {
  return Float64Array.from(under.first, (first, x) => {
    let sum = 0;
    for (let i = first; i <= under.last[x]; i++) sum += value(i);
    return sum / (under.last[x] - first + 1);
  });
}

/** Fill the area under values from 0 to 1 in the columns that `where` chooses. */
function fillArea(context, lane, values, colour, where = () => true) {
  context.fillStyle = colour;
  context.beginPath();
  values.forEach((value, x) => {
    if (where(x)) context.rect(x, lane.top + lane.height * (1 - value), 1.02, lane.height * value);
  });
  context.fill();
}

function drawStrip(context, lane, view, width, colourOf) {
  const at = (us) => ((us - view.begin) / (view.end - view.begin)) * width;
  for (const [begin, end, label] of lane.pieces) {
    if (end <= view.begin || begin >= view.end) continue;
    const [left, right] = [Math.max(0, at(begin)), Math.min(width, at(end))];
    const colour = colourOf(label);
    context.fillStyle = colour;
    context.beginPath();
    context.roundRect(left + 0.5, lane.top, Math.max(right - left - 1, 0.5), lane.height, Math.min(4, (right - left) / 2));
    context.fill();
    if (context.measureText(label).width < right - left - 10) {
      context.fillStyle = inkOn(colour);
      context.fillText(label, (left + right) / 2, lane.top + lane.height / 2 + 0.5);
    }
  }
}

/** Draw all lanes into a context whose unit is a pixel of the page. */
function drawLanes(context, data, layout, view, width) {
  const [ground, line, muted] = ["card", "line", "muted"].map((name) => theme.colour(name));
  const under = windowsUnder(data, view, width);
  const seconds = data.step_us / 1e6;
  context.clearRect(0, 0, width, layout.height);
  context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  drawAxis(context, view, width, layout.height - 20, { line, muted });
  for (const lane of layout.lanes) {
    if (lane.kind !== "strip") {
      context.fillStyle = line;
      context.fillRect(0, lane.top + lane.height, width, 1);
    }
    if (lane.kind === "rate") {
      fillArea(context, lane, means(under, (i) => data.events[i] / layout.mostEvents), mix(muted, ground, 0.35));
      note(context, lane, `${withPrefix(layout.mostEvents / seconds, "").trim()}/s`, muted, ground);
    } else if (lane.kind === "energy") {
      fillArea(context, lane, means(under, (i) => data.joules[i] / layout.mostJoules), mix(muted, ground, 0.35));
      note(context, lane, withPrefix(layout.mostJoules / seconds, "W"), muted, ground);
    } else if (lane.kind === "emotion") {
      const colour = standingOut(data.colour(lane.label), ground);
      const values = means(under, (i) => data.probability(lane.k, i));
      fillArea(context, lane, values, mix(colour, ground, 0.68));
      fillArea(context, lane, values, colour, (x) => data.labels[(under.first[x] + under.last[x]) >> 1] === lane.k);
    } else {
      drawStrip(context, lane, view, width, (label) => data.colour(label));
    }
  }
  shadeInvalid(context, data, under, layout, muted);
}

/** The highest value of a lane, written at its top. */
function note(context, lane, text, colour, ground) {
  context.textAlign = "left";
  context.fillStyle = ground;
  context.globalAlpha = 0.75;
  context.fillRect(2, lane.top, context.measureText(text).width + 6, 15);
  context.globalAlpha = 1;
  context.fillStyle = colour;
  context.fillText(text, 5, lane.top + 8);
  context.textAlign = "center";
}

/** Hatch what comes from windows that are not valid. */
function shadeInvalid(context, data, under, layout, colour) {
  const bottom = layout.height - 20;
  context.strokeStyle = colour;
  context.globalAlpha = 0.35;
  context.beginPath();
  under.first.forEach((first, x) => {
    let all = true;
    for (let i = first; i <= under.last[x] && all; i++) all = data.invalid[i] === 1;
    if (!all || x % 5) return;
    context.moveTo(x, layout.lanes[0].top);
    context.lineTo(x, bottom);
  });
  context.stroke();
  context.globalAlpha = 1;
}
