// Files of drawings, one a line, as the data set has them and create_dataset.py reads them.

import { checkStrokes, DrawingError } from "./points.js";

const MAX_DRAWINGS = 10000;

// Read at once, which takes a few milliseconds to parse; and the longest line that is read whole:
// what is longer is no drawing, and malformed when it is cut.
const PART_BYTES = 1 << 18;
const MAX_LINE_BYTES = 1 << 23;

/** A drawing as a line. */
export function formatLine({ word, strokes, timestamp, recognized, keyId }) {
  const line = { word, timestamp, recognized, key_id: keyId, drawing: strokes };
  return `${JSON.stringify(line)}\n`;
}

/**
 * Reads a line, with the checks and the reasons of create_dataset.py.
 *
 * @throws {DrawingError} the message is the reason.
 */
export function parseLine(line) {
  let document;
  try {
    document = JSON.parse(line);
  } catch {
    throw new DrawingError("malformed JSON");
  }
  if (document === null || typeof document !== "object" || Array.isArray(document)) {
    throw new DrawingError("not a JSON object");
  }
  if (!("drawing" in document)) {
    throw new DrawingError("no drawing");
  }
  const { word = "", drawing, timestamp, recognized, key_id: keyId } = document;
  if (typeof word !== "string") {
    throw new DrawingError("the word is not a text");
  }
  if (!word.trim()) {
    throw new DrawingError("no word");
  }
  if (/[\n\r]/.test(word)) {
    throw new DrawingError("a line break in the word");
  }
  checkStrokes(drawing);
  if (drawing.length === 1 && drawing[0][0].length === 1) {
    throw new DrawingError("a single point");
  }
  const text = (value, otherwise) => (typeof value === "string" ? value : otherwise);
  return {
    word,
    strokes: drawing,
    timestamp: text(timestamp, ""),
    recognized: recognized !== false,
    keyId: text(keyId, "") || contentKeyId(word, drawing),
  };
}

/**
 * Reads a file line by line, without holding up the page however long it is.
 *
 * Rejects where the file changes meanwhile.
 *
 * @returns {Promise<{drawings: object[], skipped: Map<string, number>, cut: boolean}>} the usable
 *   drawings, how many lines were skipped for which reason, and whether there are more than taken.
 */
export async function readDrawings(file) {
  const drawings = [];
  const skipped = new Map();
  let cut = false;
  const take = (line) => {
    if (!line.trim()) {
      return;
    }
    try {
      const drawing = parseLine(line);
      if (drawings.length < MAX_DRAWINGS) {
        drawings.push(drawing);
      } else {
        cut = true;
      }
    } catch (error) {
      if (!(error instanceof DrawingError)) {
        throw error;
      }
      skipped.set(error.message, (skipped.get(error.message) || 0) + 1);
    }
  };
  const decoder = new TextDecoder();
  let pieces = []; // of a line that goes on in the next part of the file
  for (let start = 0; start < file.size; start += PART_BYTES) {
    const bytes = await file.slice(start, start + PART_BYTES).arrayBuffer();
    const [first, ...others] = decoder.decode(bytes, { stream: true }).split("\n");
    if (pieces.length * PART_BYTES < MAX_LINE_BYTES) {
      pieces.push(first);
    }
    for (const next of others) {
      take(pieces.join(""));
      pieces = [next];
      if (cut) {
        return { drawings, skipped, cut };
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  take(pieces.join("") + decoder.decode());
  return { drawings, skipped, cut };
}

/** A number for a drawing without one: the same for the same drawing, whenever it is read. */
function contentKeyId(word, drawing) {
  const text = JSON.stringify([word, drawing]);
  const halves = [0x811c9dc5, 0x01000193].map((seed) => {
    let hash = seed;
    for (let i = 0; i < text.length; i++) {
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    }
    return String((hash >>> 0) % 1e8).padStart(8, "0");
  });
  return `1${halves.join("").slice(1)}`;
}

/** A number of sixteen digits, as the data set's drawings have. */
export function newKeyId() {
  const digits = Array.from({ length: 16 }, (_, i) => Math.floor(Math.random() * (i ? 10 : 9)) + (i ? 0 : 1));
  return digits.join("");
}
