// The index: a table that every column sorts.
const data = JSON.parse($("data").textContent);
const colourOf = (label) => data.colours[label] || "#8a8f98";
const most = (row) => Object.entries(row.shares).reduce((best, each) => (each[1] > best[1] ? each : best), ["", 0]);
const order = new Intl.Collator("en", { numeric: true });
const text = (value) => make("td", { class: "number" }, value);

const columns = [
  { head: "Recording", value: (row) => row.name, cell: (row) => make("th", { scope: "row" }, make("a", { href: row.page }, row.name)) },
  { head: "Over time", cell: mini },
  { head: "Most", value: (row) => most(row)[0], cell: (row) => make("td", { class: "most" }, named(most(row)[0], `${most(row)[0]} ${percent(most(row)[1])}`)) },
  { head: "Duration", number: true, value: (row) => row.duration_us, cell: (row) => text(clock(row.duration_us)) },
  { head: "Events", number: true, value: (row) => row.events, cell: (row) => text(count(row.events)) },
  { head: "Valid windows", number: true, value: (row) => row.valid / Math.max(row.windows, 1), cell: (row) => text(percent(row.valid / Math.max(row.windows, 1))) },
  { head: "Mean confidence", number: true, value: (row) => row.confidence, cell: (row) => text(percent(row.confidence)) },
  { head: "Energy", number: true, there: (row) => row.joules !== null, value: (row) => row.joules || 0, cell: (row) => text(row.joules === null ? "" : withPrefix(row.joules, "J")) },
  { head: "Warnings", number: true, there: (row) => row.warnings > 0, value: (row) => row.warnings, cell: (row) => text(row.warnings ? count(row.warnings) : "") },
].filter((column) => !column.there || data.rows.some(column.there));

function named(label, text = label) {
  const chip = make("span", { class: "chip", "aria-hidden": "true" });
  chip.style.background = colourOf(label);
  return make("span", { class: "named" }, chip, text);
}

/** A recording's segments as a strip of colours, told in words too. */
function mini(row) {
  const canvas = make("canvas", { width: 400, height: 18, role: "img", "aria-label": strip(row) });
  const context = canvas.getContext("2d");
  for (const [begin, length, label] of row.pieces) {
    context.fillStyle = colourOf(label);
    context.fillRect(begin * canvas.width, 0, Math.max(1, length * canvas.width), canvas.height);
  }
  return make("td", { class: "mini" }, canvas);
}

function strip(row) {
  const shares = Object.entries(row.shares).filter(([, share]) => share > 0).sort((a, b) => b[1] - a[1]);
  return shares.map(([label, share]) => `${label} ${percent(share)}`).join(", ") || "nothing";
}

const sorted = { column: columns[0], up: true };

function show() {
  const wanted = $("find").value.trim().toLowerCase();
  const rows = data.rows.filter((row) => row.name.toLowerCase().includes(wanted));
  const { value } = sorted.column;
  rows.sort((a, b) => {
    const [x, y] = sorted.up ? [value(a), value(b)] : [value(b), value(a)];
    return typeof x === "number" ? x - y : order.compare(x, y);
  });
  $("rows").replaceChildren(...rows.map((row) => make("tr", {}, ...columns.map((column) => column.cell(row)))));
  $("found").textContent = wanted ? `${count(rows.length)} of ${count(data.rows.length)} recordings` : "";
  columns.forEach((column, i) => {
    const said = column === sorted.column ? (sorted.up ? "ascending" : "descending") : "none";
    if (column.value) $("heads").children[i].setAttribute("aria-sort", said);
  });
}

function heading(column) {
  if (!column.value) return make("th", { scope: "col" }, column.head);
  const button = make("button", { type: "button" }, column.head);
  button.addEventListener("click", () => {
    Object.assign(sorted, { up: column === sorted.column ? !sorted.up : !column.number, column });
    show();
  });
  return make("th", { scope: "col", class: column.number ? "number" : null }, button);
}

theme.begin();
document.title = data.title;
$("title").textContent = data.title;
const total = data.rows.reduce((sum, row) => sum + row.duration_us, 0);
$("subtitle").textContent = [
  `${count(data.rows.length)} recordings`, clock(total), data.failed.length ? `${count(data.failed.length)} failed` : null,
].filter(Boolean).join(" · ");
$("heads").append(...columns.map(heading));
$("keys").append(...Object.keys(data.colours).map((label) => named(label)));
$("failures").append(...data.failed.map(({ name, reason }) =>
  make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, reason))));
$("failed").hidden = !data.failed.length;
$("find").addEventListener("input", show);
show();
document.documentElement.dataset.ready = "true";
