// The events at the cursor: what fell within the afterglow, newest brightest.
const ON = [74, 168, 255];
const OFF = [255, 143, 69];
const KEPT = 8; // chunks that stay read

class EventScreen {
  constructor(canvas, media) {
    Object.assign(this, { canvas, media, read: new Map(), wanted: null });
    canvas.width = media.width;
    canvas.height = media.height;
    this.context = canvas.getContext("2d");
    this.image = this.context.createImageData(media.width, media.height);
    this.sums = new Float32Array(2 * media.width * media.height);
  }

  /** Draw the events of (us − glow, us], at least those of one bin. */
  draw(us, glow) {
    const { bin_us, bins, chunks } = this.media;
    const last = Math.min(Math.floor(us / bin_us), chunks.length * bins - 1);
    const first = Math.max(0, Math.min(last, Math.floor((us - glow) / bin_us) + 1));
    this.wanted = { us, glow };
    if (last < 0) return;
    const needed = [];
    for (let c = Math.floor(first / bins); c <= Math.floor(last / bins); c++) needed.push(c);
    this.fetch(Math.floor(last / bins) + 1); // the next one, before it is played
    const missing = needed.filter((c) => !this.fetch(c));
    if (missing.length) return; // drawn once it is read
    this.sums.fill(0);
    for (let b = first; b <= last; b++) {
      this.add(this.read.get(Math.floor(b / bins)), b % bins, (b - first + 1) / (last - first + 1));
    }
    this.paint();
  }

  add(chunk, bin, weight) {
    const { index, codes, begins } = chunk;
    for (let i = begins[bin]; i < begins[bin + 1]; i++) {
      this.sums[2 * index[i]] += weight * (codes[i] & 3);
      this.sums[2 * index[i] + 1] += weight * (codes[i] >> 2);
    }
  }

  paint() {
    const { sums, image } = this;
    for (let i = 0; i < sums.length / 2; i++) {
      const [off, on] = [sums[2 * i], sums[2 * i + 1]];
      const colour = on >= off ? ON : OFF;
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = colour[c];
      const much = Math.max(on, off);
      image.data[4 * i + 3] = much > 0 ? Math.round(255 * Math.min(1, 0.25 + 0.75 * much)) : 0;
    }
    this.context.putImageData(image, 0, 0);
  }

  /** Whether a chunk is read; if it is not, it will be, and what is wanted then is drawn. */
  fetch(c) {
    if (c >= this.media.chunks.length) return true;
    const there = this.read.get(c);
    if (there === undefined) {
      this.read.set(c, null);
      inflate(this.media.chunks[c]).then((bytes) => {
        this.read.set(c, this.parse(bytes));
        this.forget(c);
        if (this.wanted) this.draw(this.wanted.us, this.wanted.glow);
      });
    }
    return Boolean(there);
  }

  forget(newest) {
    for (const [c, chunk] of this.read) {
      if (this.read.size <= KEPT) return;
      if (chunk && Math.abs(c - newest) > 2) this.read.delete(c);
    }
  }

  /** Cells of a chunk: low bytes of the steps from cell to cell, high bytes, codes. */
  parse(bytes) {
    const { bins, width, height } = this.media;
    const [length, area] = [bytes.length / 3, width * height];
    const index = new Uint32Array(length);
    const begins = new Uint32Array(bins + 1);
    for (let i = 0, cell = 0; i < length; i++) {
      cell += bytes[i] + 256 * bytes[length + i];
      index[i] = cell % area;
      begins[Math.floor(cell / area) + 1]++;
    }
    for (let b = 0; b < bins; b++) begins[b + 1] += begins[b];
    return { index, codes: bytes.subarray(2 * length), begins };
  }
}
