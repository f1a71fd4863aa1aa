// Light or dark: the system's, until the button says otherwise.
const theme = {
  watchers: [],
  system: matchMedia("(prefers-color-scheme: dark)"),

  dark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : this.system.matches;
  },

  /** A colour of the style sheet as it is now. */
  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  },

  changed() {
    const dark = this.dark();
    $("theme").textContent = dark ? "☀ Light" : "☾ Dark";
    $("theme").setAttribute("aria-label", dark ? "Change to light colours" : "Change to dark colours");
    for (const watcher of this.watchers) watcher();
  },

  begin() {
    try {
      const chosen = localStorage.getItem("snnkd-theme");
      if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
    } catch { /* a browser that stores nothing for files */ }
    this.system.addEventListener("change", () => this.changed());
    $("theme").addEventListener("click", () => {
      const chosen = this.dark() ? "light" : "dark";
      document.documentElement.dataset.theme = chosen;
      try { localStorage.setItem("snnkd-theme", chosen); } catch { /* the choice lasts as long as the page */ }
      this.changed();
    });
    this.changed();
  },
};
