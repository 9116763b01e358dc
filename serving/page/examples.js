// Drawings of the words by others, as drawing_page.py packs them.

/**
 * @param {string} text base64 of bytes: for each word the number of drawings, of each the number of
 *   strokes, of each the number of points, then their xs and their ys.
 * @param {string[]} words in the order of the list.
 * @returns {Map<string, number[][][][]>} drawings by word; empty where none were packed.
 */
export function unpackExamples(text, words) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  let at = 0;
  const several = (read) => Array.from({ length: bytes[at++] }, read);
  const row = (count) => Array.from(bytes.subarray(at, (at += count)));
  const stroke = () => {
    const count = bytes[at++];
    return [row(count), row(count)];
  };
  const examples = new Map();
  if (bytes.length) {
    words.forEach((word) => examples.set(word, several(() => several(stroke))));
  }
  return examples;
}
