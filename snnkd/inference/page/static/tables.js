// The tables: shares of the emotions, and segments and windows as rows that follow the cursor.

/** Share of windows of each emotion, and the time told. */
function fillSummary(data) {
  const told = new Map();
  for (const [begin, end, label] of data.segments) told.set(label, (told.get(label) || 0) + end - begin);
  const body = make("tbody");
  const names = [...data.emotions, ...[...told.keys()].filter((label) => !data.emotions.includes(label))];
  const most = Math.max(...Object.values(data.shares), 1e-9);
  for (const name of names) {
    const bar = make("span", { class: "bar" }, make("span"));
    bar.firstChild.style.width = `${(100 * (data.shares[name] || 0)) / most}%`;
    bar.firstChild.style.background = data.colour(name);
    body.append(make("tr", {},
      make("th", { scope: "row" }, named(data, name)),
      make("td", { class: "share", "aria-hidden": "true" }, bar),
      make("td", { class: "number" }, name in data.shares ? percent(data.shares[name]) : ""),
      make("td", { class: "number" }, clock(told.get(name) || 0))));
  }
  const head = headings([["Emotion"], ["", ""], ["Of valid windows", "number"], ["Told for", "number"]]);
  $("summary").append(make("div", { class: "scroll" }, make("table", {}, head, body)));
}

function headings(texts) {
  return make("thead", {}, make("tr", {}, ...texts.map(([text, kind]) =>
    text ? make("th", { scope: "col", class: kind || null }, text) : make("td", { "aria-hidden": "true" }))));
}

/** A name with a chip of its colour. */
function named(data, label) {
  const chip = make("span", { class: "chip", "aria-hidden": "true" });
  chip.style.background = data.colour(label);
  return make("span", { class: "named" }, chip, label);
}

/** A table that shows the page of rows on which the cursor is. */
class PagedTable {
  constructor(place, { what, length, size, heads, row, seek, begins }) {
    Object.assign(this, { length, size, row, seek, begins, page: -1, current: -1, rows: [] });
    this.body = make("tbody");
    place.append(make("div", { class: "scroll" }, make("table", {}, headings(heads), this.body)));
    if (!length) place.replaceChildren(make("p", { class: "muted" }, `No ${what}.`));
    if (length <= size) return;
    this.before = make("button", { type: "button", class: "quiet" }, "Earlier");
    this.after = make("button", { type: "button", class: "quiet" }, "Later");
    this.range = make("span", { class: "muted" });
    this.before.addEventListener("click", () => seek(begins((this.page - 1) * size)));
    this.after.addEventListener("click", () => seek(begins((this.page + 1) * size)));
    this.before.setAttribute("aria-label", `Earlier ${what}`);
    this.after.setAttribute("aria-label", `Later ${what}`);
    place.append(make("div", { class: "pages" }, this.before, this.after, this.range));
  }

  show(current) {
    if (!this.length || current === this.current) return;
    this.current = current;
    const page = Math.max(0, Math.floor(current / this.size));
    if (page !== this.page) this.turn(page);
    this.rows.forEach((row, i) => {
      if (page * this.size + i === current) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
  }

  turn(page) {
    this.page = page;
    const [first, end] = [page * this.size, Math.min(this.length, (page + 1) * this.size)];
    this.rows = [];
    for (let i = first; i < end; i++) {
      const go = make("button", { type: "button", class: "link" }, clock(this.begins(i)));
      go.addEventListener("click", () => this.seek(this.begins(i)));
      this.rows.push(make("tr", {}, make("th", { scope: "row" }, go), ...this.row(i)));
    }
    this.body.replaceChildren(...this.rows);
    if (!this.range) return;
    this.range.textContent = `${count(first + 1)} to ${count(end)} of ${count(this.length)}`;
    this.before.disabled = page === 0;
    this.after.disabled = end === this.length;
  }
}

const cell = (text) => make("td", { class: "number" }, text);

function segmentTable(data, seek) {
  return new PagedTable($("segments"), {
    what: "segments", length: data.segments.length, size: 10, seek, begins: (i) => data.segments[i][0],
    heads: [["From"], ["Lasts", "number"], ["Told"], ["Probability", "number"]],
    row: (i) => {
      const [begin, end, label, probability] = data.segments[i];
      return [cell(clock(end - begin)), make("td", {}, named(data, label)), cell(percent(probability))];
    },
  });
}

function windowTable(data, seek) {
  return new PagedTable($("windows"), {
    what: "windows", length: data.count, size: 12, seek, begins: (i) => data.starts[i],
    heads: [["From"], ["Events", "number"], ["Valid"], ["Most probable"], ...data.emotions.map((name) => [name, "number"]),
      ...(data.joules ? [["Energy", "number"]] : [])],
    row: (i) => [
      cell(count(data.events[i])), make("td", {}, data.invalid[i] ? `no: ${data.qualities[data.quality[i]]}` : "yes"),
      make("td", {}, named(data, data.emotions[data.labels[i]])),
      ...data.emotions.map((_, k) => cell(percent(data.probability(k, i)))),
      ...(data.joules ? [cell(withPrefix(data.joules[i], "J"))] : []),
    ],
  });
}
