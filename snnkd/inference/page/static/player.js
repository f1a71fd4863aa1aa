// The player: a clock that the screens, the timeline and the tables follow.

/** What is said of a window that is not valid. */
const WRONG = {
  silent: "without events, what the network says is the memory of earlier ones.",
  saturated: "nearly all pixels fired, as in a flash.",
  blink: "a lid passes, or the camera slips.",
};

class Player {
  constructor(data) {
    const media = data.media;
    Object.assign(this, { data, us: 0, playing: false, window: -1 });
    this.end = data.duration_us;
    this.events = media ? new EventScreen($("events"), media.events) : null;
    this.frames = media && media.frames ? new FrameScreen($("frames"), media.frames) : null;
    const seek = (us) => this.seek(us);
    this.timeline = new TimelineView(data, media ? media.known : [], seek);
    this.tables = [segmentTable(data, seek), windowTable(data, seek)];
    this.bars = data.emotions.map((name) => {
      const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span"));
      bar.firstChild.style.background = data.colour(name);
      const parts = { name: make("span", {}, name), fill: bar.firstChild, number: make("span", { class: "number" }) };
      $("bars").append(parts.name, bar, parts.number);
      return parts;
    });
    $("whole").textContent = clock(this.end);
    this.layStage();
    this.listen();
    this.seek(0);
  }

  /** Show what there is: two screens, one, or none. */
  layStage() {
    const { media } = this.data;
    $("screens").hidden = !this.events;
    $("glow-label").hidden = !this.events;
    $("frames-figure").hidden = $("over-label").hidden = $("stretch-label").hidden = !this.frames;
    $("screens").classList.toggle("one", !this.frames);
    if (!media) return;
    const [width, height] = media.sensor_size;
    for (const id of ["events", "frames"]) $(id).style.aspectRatio = `${width} / ${height}`;
    const crop = this.data.recording.crop;
    if (Array.isArray(crop) && (crop[2] < width || crop[3] < height)) {
      const shares = { left: crop[0] / width, top: crop[1] / height, width: crop[2] / width, height: crop[3] / height };
      for (const [side, share] of Object.entries(shares)) $("crop").style[side] = `${100 * share}%`;
      $("crop").hidden = $("crop-key").hidden = false;
    }
    if (this.frames) {
      $("stretch").checked = media.frames.high - media.frames.low < 128;
      this.frames.stretch($("stretch").checked);
    }
  }

  listen() {
    $("play").addEventListener("click", () => this.toggle());
    $("back-segment").addEventListener("click", () => this.bySegment(-1));
    $("next-segment").addEventListener("click", () => this.bySegment(1));
    $("glow").addEventListener("change", () => this.draw());
    $("over").addEventListener("change", () => $("screens").classList.toggle("over", $("over").checked));
    $("stretch").addEventListener("change", () => this.frames.stretch($("stretch").checked));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const at = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || /^(SELECT|INPUT|TEXTAREA)$/.test(at.tagName)) return;
    if (event.key === " " && /^(BUTTON|A)$/.test(at.tagName)) return; // it presses that
    const step = event.shiftKey ? 1e6 : this.data.step_us;
    const acts = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(this.us - step),
      ArrowRight: () => this.seek(this.us + step),
      ArrowDown: () => at === $("plot") && this.seek(this.us - step),
      ArrowUp: () => at === $("plot") && this.seek(this.us + step),
      PageUp: () => at === $("plot") && this.seek(this.us + 1e7),
      PageDown: () => at === $("plot") && this.seek(this.us - 1e7),
      Home: () => this.seek(0),
      End: () => this.seek(this.end),
      "[": () => this.bySegment(-1),
      "]": () => this.bySegment(1),
      "+": () => this.timeline.zoom(0.5),
      "=": () => this.timeline.zoom(0.5),
      "-": () => this.timeline.zoom(2),
    };
    if (acts[event.key] && acts[event.key]() !== false) event.preventDefault();
  }

  toggle(play = !this.playing) {
    if (play && this.us >= this.end) this.seek(0);
    this.playing = play;
    $("play").setAttribute("aria-label", play ? "Pause" : "Play");
    $("play-icon").setAttribute("d", play ? "M3 2.5h3.5v11H3zM9.5 2.5H13v11H9.5z" : "M4 2.5v11l9-5.5z");
    if (!play) return;
    let before = null;
    const tick = (now) => {
      if (!this.playing) return;
      if (before !== null) this.seek(this.us + (now - before) * 1000 * Number($("speed").value));
      before = now;
      if (this.us >= this.end) this.toggle(false);
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  bySegment(direction) {
    const { segments } = this.data;
    const here = this.data.segmentAt(this.us);
    // Back goes to the start of this segment first, as players of music do.
    const inside = here >= 0 && this.us - segments[here][0] > this.data.step_us;
    const place = direction > 0 ? here + 1 : here - (inside ? 0 : 1);
    if (place >= segments.length) this.seek(this.end);
    else this.seek(place < 0 ? 0 : segments[place][0]);
  }

  seek(us) {
    this.us = Math.min(this.end, Math.max(0, us));
    const { data } = this;
    const window = data.windowAt(this.us);
    $("clock").textContent = clock(this.us);
    if (window !== this.window) this.tell(window);
    this.timeline.moveTo(this.us, window, () => `${clock(this.us)}: ${this.said(window)}`);
    this.tables[0].show(data.segmentAt(this.us));
    this.tables[1].show(window);
    this.draw();
  }

  draw() {
    if (this.events) this.events.draw(this.us, Number($("glow").value));
    if (!this.frames) return;
    const place = this.frames.draw(this.us);
    const { times } = this.data.media.frames;
    const age = place < 0 ? 0 : this.us - times[place];
    const old = age > 500_000 && age > (3 * (times[times.length - 1] - times[0])) / times.length;
    $("frames").classList.toggle("old", old);
    $("frame-time").textContent = place < 0 ? "none yet" : old ? `the last, ${clock(age)} before` : `of ${clock(Math.max(0, times[place]))}`;
  }

  said(window) {
    const label = this.data.labels[window];
    return `${this.data.emotions[label]} ${percent(this.data.probability(label, window))}`;
  }

  /** Write what the network says in a window. */
  tell(window) {
    const { data } = this;
    this.window = window;
    const most = data.labels[window];
    $("now-label").textContent = data.emotions[most];
    $("now-chip").style.background = data.colour(data.emotions[most]);
    const told = data.segments[data.segmentAt(data.starts[window])];
    $("now-note").textContent = data.invalid[window]
      ? `This window is not valid: ${WRONG[data.qualities[data.quality[window]]]}`
      : `${percent(data.probability(most, window))} probable, says the network${
        told && told[2] !== data.emotions[most] ? `; told over time: ${told[2]}` : ""}`;
    this.bars.forEach((bar, k) => {
      const share = data.probability(k, window);
      bar.fill.style.width = `${100 * share}%`;
      bar.number.textContent = percent(share);
      bar.name.classList.toggle("most", k === most);
    });
    const energy = data.joules ? ` · ${withPrefix(data.joules[window], "J")}` : "";
    $("now-window").textContent =
      `window ${count(window + 1)} of ${count(data.count)} · ${count(data.events[window])} events${energy}`;
  }
}

async function begin() {
  theme.begin();
  const data = await readData();
  document.title = `${data.name}: emotions over time`;
  $("name").textContent = data.name;
  const facts = data.recording;
  $("subtitle").textContent = [
    clock(data.duration_us),
    facts.events === undefined ? null : `${count(facts.events)} events`,
    facts.sensor_size ? `${facts.sensor_size.join("×")} pixels` : null,
    data.model.network ? `read by ${data.model.network}` : null,
  ].filter(Boolean).join(" · ");
  if (data.index) {
    $("back").setAttribute("href", `./${encodeURIComponent(data.index)}`);
    $("back").hidden = false;
  }
  if (data.model.caution) {
    $("caution").textContent = `The model was ${data.model.caution}.`;
    $("caution").hidden = false;
  }
  $("main").hidden = false;
  fillSummary(data);
  fillFacts(data);
  new Player(data);
  document.documentElement.dataset.ready = "true";
}

begin().catch((error) => {
  $("problem").textContent = `This page cannot be shown: ${error.message}. Its browser may be too old, or the file cut short.`;
  $("problem").hidden = false;
  console.error(error);
});
