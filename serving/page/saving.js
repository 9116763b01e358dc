// Files that the page writes: what they are called, and how they are saved.

import { make } from "./elements.js";

const MAX_NAME_BYTES = 200; // file systems take 255, with the ending
const FORBIDDEN = /[<>:"/\\|?*\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu; // on one system or another
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i; // on Windows
const KEEP_URL_MILLISECONDS = 60000;

/** Saves a file, as the browser does it. */
export function save(name, blob) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEEP_URL_MILLISECONDS);
}

/**
 * Names of files for words, on all systems and each another one.
 *
 * @param {string[]} words
 * @param {string} ending such as ".ndjson".
 * @returns {string[]} in the order of the words.
 */
export function fileNames(words, ending) {
  const taken = new Set();
  return words.map((word) => {
    const stem = stemOf(word);
    let name = stem;
    for (let number = 2; taken.has(name.toLowerCase()); number++) {
      name = `${stem} (${number})`;
    }
    taken.add(name.toLowerCase());
    return name + ending;
  });
}

function stemOf(word) {
  const plain = word.normalize("NFC").replace(FORBIDDEN, "_").trim().replace(/^\.+|[. ]+$/g, "_");
  const stem = RESERVED.test(plain) ? `_${plain}` : plain;
  let short = "";
  for (const character of stem) {
    if (new TextEncoder().encode(short + character).length > MAX_NAME_BYTES) {
      break;
    }
    short += character;
  }
  return short || "_";
}
