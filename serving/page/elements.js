// Makes the page's elements. What they show is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element of the page with that id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Tells whether what an element shows is about to be replaced. */
export function setBusy(element, isBusy) {
  element.setAttribute("aria-busy", String(isBusy));
}

/** A new element: its attributes, then what is in it, elements or text. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same, of SVG. */
export function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function button(text, onClick, attributes = {}) {
  const element = make("button", { type: "button", ...attributes }, text);
  element.addEventListener("click", onClick);
  return element;
}

/** "1 word", "2 words". */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

export function percent(share) {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`;
}

/** A row of a list of guesses, with a bar as long as it is likely; `picture` shows the word. */
export function guessRow({ word, probability }, { isSaid = false, picture = "" } = {}) {
  const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span"));
  bar.style.setProperty("--share", probability);
  return make(
    "li",
    isSaid ? { class: "said" } : {},
    picture,
    make("span", { class: "word" }, word),
    make("span", { class: "share" }, percent(probability)),
    bar,
  );
}

/**
 * Fills an element anew. The focus stays on what has the same `data-key` as the focused element
 * had; where that is gone, it goes to what stands in its place.
 */
export function refill(element, children) {
  const keyed = () => [...element.querySelectorAll("[data-key]")];
  const before = keyed();
  const place = before.indexOf(document.activeElement);
  const key = place < 0 ? null : before[place].dataset.key;
  element.replaceChildren(...children);
  if (key !== null) {
    const after = keyed();
    const next = after.find((one) => one.dataset.key === key) || after[Math.min(place, after.length - 1)];
    if (next) {
      next.focus();
    }
  }
}
