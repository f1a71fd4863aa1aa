// The facts of the recording and of the model, whatever they are called.
const NAMES = {
  path: "file", sensor_size: "sensor", duration_us: "duration", start_us: "starts at", crop: "region seen",
  hot_pixels: "hot pixels left out", hot_events: "with events", window_us: "window", step_us: "step", network: "architecture",
  input_size: "input", source: "loaded from", dataset: "trained on",
  margin: "margin to tell another", minimum_us: "shortest segment", abstain: "least probability told",
};
const TOLD_ELSEWHERE = ["caution", "warnings"];

/** A fact as text; what has no form of its own is written as JSON. */
function factText(name, value) {
  if (value === null || value === "") return null;
  if (name.endsWith("_us") && typeof value === "number") {
    if (name === "start_us") return `${count(value)} µs`;
    return value < 1e6 ? `${count(value)} µs` : clock(value);
  }
  if (name === "crop" && Array.isArray(value)) return `${value[2]}×${value[3]} from (${value[0]}, ${value[1]})`;
  if (/size$/.test(name) && Array.isArray(value)) return value.join("×");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
  if (Array.isArray(value) && value.every((each) => typeof each !== "object")) return value.join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Entries of facts, those within others named after both. */
function* entries(facts, before = "") {
  for (const [name, value] of Object.entries(facts)) {
    if (TOLD_ELSEWHERE.includes(name)) continue;
    const label = before + (NAMES[name] || name.replaceAll("_", " "));
    if (value && typeof value === "object" && !Array.isArray(value)) yield* entries(value, `${label}: `);
    else if (factText(name, value) !== null) yield [label, factText(name, value)];
  }
}

function factList(rows) {
  return make("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function fillFacts(data) {
  const rows = [...entries(data.recording)];
  const model = [...entries(data.model), ...entries(data.smoothing)];
  for (const [name, hash] of Object.entries(data.hashes)) (name === "content" ? rows : model).push([`hash of ${name}`, hash]);
  const { media } = data;
  if (media) {
    const { events, frames } = media;
    rows.push(["events shown as", `images of ${events.width}×${events.height}, one every ${events.bin_us / 1000} ms${
      events.scale > 1 ? `, ${events.scale}×${events.scale} pixels in one` : ""}`]);
    if (frames) {
      const which = frames.every > 1 ? `one of ${frames.every}` : "all";
      rows.push(["frames shown as", `${which}, ${count(frames.times.length)} images of ${frames.width}×${frames.height}`]);
    }
    if (events.scale > 1 || events.bin_us > 10_000 || (frames && frames.every > 1)) {
      rows.push(["why", "so that this page stays small; the recording has more"]);
    }
  }
  const invalid = data.invalid.reduce((sum, each) => sum + each, 0);
  rows.push(["windows", `${count(data.count)}, of which ${count(data.count - invalid)} are valid`]);
  const list = factList(rows);
  const warnings = data.recording.warnings || [];
  list.append(make("dt", {}, "warnings"), make("dd", {}, warnings.length
    ? make("ul", {}, ...warnings.map((text) => make("li", {}, String(text)))) : "none"));
  $("recording").append(list);
  if (data.joules) {
    const joules = data.joules.reduce((sum, each) => sum + each, 0);
    model.push(["energy of the recording", `${withPrefix(joules, "J")}, ${withPrefix(joules / (data.duration_us / 1e6), "W")} on average`]);
  }
  $("model").append(model.length ? factList(model) : make("p", { class: "muted" }, "Not told."));
}
