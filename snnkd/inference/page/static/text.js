// Elements, texts of numbers, and colours that can be read.
const $ = (id) => document.getElementById(id);

/** Make an element. Every text goes in as text: nothing here reads markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const count = (number) => Math.round(number).toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)}%`;

/** Time in µs as a person reads it: 12.34 s, 3:07.4 or 1:02:03.4. */
function clock(us) {
  if (us < 59_995_000) return `${(us / 1e6).toFixed(2)} s`;
  const tenths = Math.round(us / 1e5);
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60];
  const rest = `${pad(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
  return hours ? `${hours}:${pad(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** A number with a unit and its prefix, three digits: 1.23 µJ. */
function withPrefix(value, unit) {
  if (!(Math.abs(value) > 0)) return `0 ${unit}`;
  const prefixes = ["p", "n", "µ", "m", "", "k", "M", "G"];
  const [digits, power] = value.toExponential(2).split("e").map(Number); // rounded first: 999.9 n is 1 µ
  const step = Math.min(prefixes.length - 1, Math.max(0, Math.floor(power / 3) + 4));
  return `${Number((digits * 10 ** (power - 3 * (step - 4))).toPrecision(3))} ${prefixes[step]}${unit}`;
}

const channels = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));

function luminance(colour) {
  const linear = channels(colour).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function mix(a, b, share) {
  const [from, to] = [channels(a), channels(b)];
  return "#" + from.map((c, i) => Math.round(c + share * (to[i] - c)).toString(16).padStart(2, "0")).join("");
}

/** The colour nearest to `colour` that stands out against `ground` by at least 3 to 1. */
function standingOut(colour, ground) {
  const away = luminance(ground) > 0.3 ? "#000000" : "#ffffff";
  for (let share = 0; share < 1; share += 0.04) {
    const mixed = mix(colour, away, share);
    if (contrast(mixed, ground) >= 3) return mixed;
  }
  return away;
}

/** Black or white, whichever reads better on a colour: never below 4.5 to 1. */
const inkOn = (colour) => (contrast(colour, "#ffffff") >= contrast(colour, "#101418") ? "#ffffff" : "#101418");
