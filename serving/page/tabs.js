// The tabs, by mouse and by keyboard.

import { byId } from "./elements.js";

/**
 * @param {string[]} names of the tabs; `tab-NAME` and `panel-NAME` are their elements.
 * @param {function(string): boolean} show shows a panel, unless the open one may not be left; returns whether it did.
 */
export function addTabs(names, show) {
  const steps = {
    ArrowRight: (i) => (i + 1) % names.length,
    ArrowLeft: (i) => (i - 1 + names.length) % names.length,
    Home: () => 0,
    End: () => names.length - 1,
  };
  names.forEach((name, i) => {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => show(name));
    tab.addEventListener("keydown", (event) => {
      if (event.key in steps) {
        event.preventDefault();
        const next = names[steps[event.key](i)];
        if (show(next)) {
          byId(`tab-${next}`).focus();
        }
      }
    });
  });
}

/** Shows which tab is open. */
export function showTab(names, open) {
  for (const name of names) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === open));
    tab.tabIndex = name === open ? 0 : -1;
    byId(`panel-${name}`).hidden = name !== open;
  }
}
