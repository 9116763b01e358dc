// The page writes itself anew, as one file with drawings inside.
//
// A page that was saved holds them in an element of its own: its name in the first line, then
// the drawings as in a file of drawings. The name is that of its database too: the words of a page
// from a friend stay apart.

import { formatLine, parseLine } from "./ndjson.js";
import { DrawingError } from "./points.js";

const ELEMENT = "kept";
const PROGRAM = "program";

/** @returns {Element} the page as it was opened, to be called before anything is shown on it. */
export function pristinePage() {
  return document.documentElement.cloneNode(true);
}

/**
 * @param {Element} page
 * @returns {{name: string, drawings: object[]}|null} what was saved with it; null for nothing.
 */
export function savedWith(page) {
  const element = page.querySelector(`#${ELEMENT}`);
  if (!element) {
    return null;
  }
  const [name, ...lines] = element.textContent.split("\n");
  return { name, drawings: lines.flatMap(readLine) };
}

/** The drawing of a line; none where the file is damaged. */
function readLine(line) {
  try {
    return [parseLine(line)];
  } catch (error) {
    if (error instanceof DrawingError) {
      return [];
    }
    throw error;
  }
}

/**
 * @param {Element} pristine of `pristinePage`.
 * @param {string} name another one for each page.
 * @param {object[]} drawings
 * @returns {string} the text of a page with the drawings inside.
 */
export function pageWith(pristine, name, drawings) {
  const page = pristine.cloneNode(true);
  let element = page.querySelector(`#${ELEMENT}`);
  if (!element) {
    element = document.createElement("script");
    element.type = "text/plain";
    element.id = ELEMENT;
    page.querySelector(`#${PROGRAM}`).before(element, "\n");
  }
  // Nothing in it can end the element: in JSON, "<" stands in strings alone.
  const lines = drawings.map((drawing) => formatLine(drawing).replace(/</g, "\\u003c"));
  element.textContent = `${name}\n${lines.join("")}`;
  return `<!doctype html>\n${page.outerHTML}\n`;
}
