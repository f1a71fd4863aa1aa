// The timeline: what is in view, and the cursor, which pointer and keys move.
class TimelineView {
  constructor(data, known, seek) {
    Object.assign(this, { data, seek, plot: $("plot"), canvas: $("lanes"), us: 0 });
    this.layout = layLanes(data, known);
    this.layout.mostEvents = data.events.reduce((most, value) => Math.max(most, value), 1);
    if (data.joules) this.layout.mostJoules = data.joules.reduce((most, value) => Math.max(most, value), 1e-30);
    this.view = { begin: 0, end: data.duration_us };
    for (const lane of this.layout.lanes) {
      const label = make("span", { class: lane.kind === "emotion" ? "emotion" : null }, lane.label);
      label.style.top = `${lane.top}px`;
      label.style.height = `${lane.height}px`;
      $("gutter").append(label);
    }
    this.plot.setAttribute("aria-valuemin", 0);
    this.plot.setAttribute("aria-valuemax", (data.duration_us / 1e6).toFixed(3));
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.plot);
    theme.watchers.push(() => this.draw());
  }

  listen() {
    const { plot } = this;
    plot.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      plot.setPointerCapture(event.pointerId);
      this.seek(this.timeAt(event));
    });
    plot.addEventListener("pointermove", (event) => {
      if (plot.hasPointerCapture(event.pointerId)) this.seek(this.timeAt(event));
      this.showTip(event);
    });
    plot.addEventListener("pointerleave", () => { $("tip").hidden = true; });
    plot.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    $("zoom-in").addEventListener("click", () => this.zoom(0.5));
    $("zoom-out").addEventListener("click", () => this.zoom(2));
    $("zoom-all").addEventListener("click", () => this.look(0, this.data.duration_us));
  }

  timeAt(event) {
    const box = this.plot.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return this.view.begin + share * (this.view.end - this.view.begin);
  }

  /** Pinching and the wheel with Ctrl zoom around the pointer; sideways they move the view. */
  wheel(event) {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    const length = this.view.end - this.view.begin;
    if (event.ctrlKey) this.zoom(2 ** (event.deltaY / 120), this.timeAt(event));
    else if (sideways && length < this.data.duration_us) this.look(this.view.begin + (sideways / 800) * length, null, length);
    else return;
    event.preventDefault();
  }

  zoom(factor, around = this.us) {
    const least = Math.min(10 * this.data.step_us, this.data.duration_us);
    const length = Math.min(this.data.duration_us, Math.max(least, factor * (this.view.end - this.view.begin)));
    const share = (around - this.view.begin) / (this.view.end - this.view.begin);
    this.look(around - share * length, null, length);
  }

  /** Show a stretch of time, moved so that it lies within the recording. */
  look(begin, end, length = end - begin) {
    const from = Math.max(0, Math.min(begin, this.data.duration_us - length));
    this.view = { begin: from, end: from + length };
    $("zoom-out").disabled = $("zoom-all").disabled = length >= this.data.duration_us;
    this.draw();
  }

  draw() {
    const width = Math.floor(this.plot.clientWidth);
    if (!width) return;
    const dots = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * dots);
    this.canvas.height = Math.round(this.layout.height * dots);
    this.canvas.style.height = $("gutter").style.height = `${this.layout.height}px`;
    const context = this.canvas.getContext("2d");
    context.scale(dots, dots);
    drawLanes(context, this.data, this.layout, this.view, width);
    this.place();
  }

  /** Move the cursor, and the view with it. */
  moveTo(us, window, text) {
    this.us = us;
    const length = this.view.end - this.view.begin;
    if (us < this.view.begin || us > this.view.end) this.look(us - 0.1 * length, null, length);
    this.place();
    this.plot.setAttribute("aria-valuenow", (us / 1e6).toFixed(3));
    if (window !== this.told) this.plot.setAttribute("aria-valuetext", text());
    this.told = window;
  }

  place() {
    const share = (this.us - this.view.begin) / (this.view.end - this.view.begin);
    $("cursor").hidden = share < 0 || share > 1;
    $("cursor").style.left = `${100 * share}%`;
  }

  showTip(event) {
    const { data } = this;
    const us = this.timeAt(event);
    const i = data.windowAt(us);
    const tip = $("tip");
    tip.textContent = `${clock(us)} · ${data.emotions[data.labels[i]]} ${percent(data.probability(data.labels[i], i))}`;
    tip.hidden = false;
    const box = this.plot.getBoundingClientRect();
    const half = tip.offsetWidth / 2;
    tip.style.left = `${Math.min(box.width - half, Math.max(half, event.clientX - box.left))}px`;
  }
}
