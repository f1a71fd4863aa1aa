// What the page holds, as arrays.

/** Bytes of base64. */
function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Bytes of base64 that were deflated. */
async function inflate(text) {
  if (!text) return new Uint8Array(0);
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Read the page's data: windows as typed arrays, one value each, times in µs. */
async function readData() {
  const data = JSON.parse($("data").textContent);
  $("data").remove();
  const unpack = async (text, Type) => new Type((await inflate(text)).buffer);
  const [gaps, events, odds, quality, joules] = await Promise.all([
    unpack(data.gaps, Float64Array),
    unpack(data.events, Float64Array),
    unpack(data.odds, Uint16Array),
    unpack(data.quality, Uint8Array),
    unpack(data.joules, Float32Array),
  ]);
  const starts = new Float64Array(data.count);
  let at = 0;
  for (let i = 0; i < data.count; i++) starts[i] = at += gaps[i];
  const K = data.emotions.length;
  const labels = new Uint8Array(data.count);
  for (let i = 0; i < data.count; i++) {
    for (let k = 1; k < K; k++) if (odds[k * data.count + i] > odds[labels[i] * data.count + i]) labels[i] = k;
  }
  return Object.assign(data, {
    starts, events, odds, quality, invalid: quality.map((code) => (code ? 1 : 0)), labels,
    joules: joules.length ? joules : null,
    probability: (k, i) => odds[k * data.count + i] / 65535,
    windowAt: (us) => Math.max(0, lastAtOrBefore(starts, us)),
    segmentAt: (us) => lastAtOrBefore(data.segments, us, (segment) => segment[0]),
    colour: (label) => data.colours[label] || data.colours.neutral || "#8a8f98",
  });
}

/** Place of the last of growing values that is at or before `value`; -1 where none is. */
function lastAtOrBefore(values, value, key = (each) => each) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(values[middle]) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
