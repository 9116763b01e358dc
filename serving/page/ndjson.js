// Files of drawings, as the data set has them and create_dataset.py reads them: one drawing a line,
// or JSON laid out in another way, compressed or not; see drawings/ndjson_files.py.

import { checkStrokes, DrawingError } from "./points.js";

const MAX_DRAWINGS = 10000;

// Read at once, which takes a few milliseconds to parse.
const PART_BYTES = 1 << 18;
// The longest line that is read whole: what is longer is no drawing, and malformed when it is cut.
const MAX_LINE_LENGTH = 1 << 23;

// Enough for what archives begin with, and for a few blanks before the drawings.
const HEAD_BYTES = 64;
const GZIP = "\x1f\x8b";
const ARCHIVES = {
  "PK\x03\x04": "a zip archive",
  BZh: "compressed by bzip2",
  "\xfd7zXZ": "compressed by xz",
  "\x28\xb5\x2f\xfd": "compressed by zstd",
};

/** Why a file cannot hold drawings: the end of a sentence that begins with its name. */
export class NotDrawingsError extends Error {}

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
  try {
    return readDocument(JSON.parse(line));
  } catch (error) {
    throw error instanceof SyntaxError ? new DrawingError("malformed JSON") : error;
  }
}

/** The same for what a line holds. */
function readDocument(document) {
  if (document === null || typeof document !== "object" || Array.isArray(document)) {
    throw new DrawingError("not a JSON object");
  }
  if (!("drawing" in document)) {
    throw new DrawingError("no drawing");
  }
  const { word = "", timestamp, recognized, key_id: keyId } = document;
  if (typeof word !== "string") {
    throw new DrawingError("the word is not a text");
  }
  if (!word.trim()) {
    throw new DrawingError("no word");
  }
  if (/[\n\r]/.test(word)) {
    throw new DrawingError("a line break in the word");
  }
  const drawing = fromText(document.drawing);
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

/** What a text of JSON holds, as the column of a CSV file has it; anything else as it is. */
function fromText(drawing) {
  try {
    return typeof drawing === "string" ? JSON.parse(drawing) : drawing;
  } catch {
    return drawing;
  }
}

/** Collects drawings, and counts why others were skipped. */
class Taken {
  constructor() {
    this.drawings = [];
    this.skipped = new Map();
    this.cut = false; // whether there are more than are taken
  }

  /** Takes what a function reads, or the reason why it does not. */
  take(read) {
    let drawing;
    try {
      drawing = read();
    } catch (error) {
      if (!(error instanceof DrawingError)) {
        throw error;
      }
      this.skipped.set(error.message, (this.skipped.get(error.message) || 0) + 1);
      return;
    }
    this.cut = this.drawings.length === MAX_DRAWINGS;
    if (!this.cut) {
      this.drawings.push(drawing);
    }
  }

  takeLine(line) {
    if (line.trim()) {
      this.take(() => parseLine(line));
    }
  }
}

/**
 * Reads a file of drawings. Lines are read one by one, without holding up the page however long
 * the file is.
 *
 * Rejects with a NotDrawingsError for another archive than gzip or a damaged one, and with another
 * error where the file cannot be read.
 *
 * @param {Blob} file
 * @returns {Promise<{drawings: object[], skipped: Map<string, number>, cut: boolean}>} the usable
 *   drawings, how many others were skipped for which reason, and whether there are more than taken.
 */
export async function readDrawings(file) {
  if (startOf(await bytesOf(file)).startsWith(GZIP)) {
    return readPlain(await unpacked(file));
  }
  return readPlain(file);
}

async function readPlain(file) {
  const taken = new Taken();
  const bytes = await bytesOf(file);
  const kind = Object.keys(ARCHIVES).find((magic) => startOf(bytes).startsWith(magic));
  if (kind) {
    throw new NotDrawingsError(`is ${ARCHIVES[kind]}; unpack it`);
  }
  const decoder = new TextDecoder(encodingOf(bytes));
  const head = decoder.decode(bytes).trimStart();
  // No line of ndjson begins with an array, or is a brace alone.
  const items = /^(\[|\{[\n\r])/.test(head) ? itemsOf(decoder.decode(await file.arrayBuffer())) : null;
  if (items) {
    for (const item of items) {
      taken.take(() => readDocument(item));
    }
  } else {
    await takeLines(file, decoder, taken);
  }
  return taken;
}

async function takeLines(file, decoder, taken) {
  let line = ""; // goes on in the next part of the file
  for (let start = 0; start < file.size && !taken.cut; start += PART_BYTES) {
    const bytes = await file.slice(start, start + PART_BYTES).arrayBuffer();
    const [first, ...others] = decoder.decode(bytes, { stream: true }).split("\n");
    line += line.length < MAX_LINE_LENGTH ? first : "";
    for (const next of others) {
      taken.takeLine(line);
      line = next;
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  if (!taken.cut) {
    taken.takeLine(line + decoder.decode());
  }
}

async function bytesOf(file) {
  return new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
}

/** Bytes as a text, a character each. */
function startOf(bytes) {
  return String.fromCharCode(...bytes);
}

/** @returns {Promise<Blob>} what was compressed. */
async function unpacked(file) {
  try {
    return await new Response(file.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
  } catch (error) {
    throw new NotDrawingsError("is a damaged gzip file, or this browser cannot unpack it", { cause: error });
  }
}

/** UTF-16 has a zero byte beside each letter of JSON, or a mark before the first. */
function encodingOf([first, second]) {
  if ((first === 0xff && second === 0xfe) || (first && second === 0)) {
    return "utf-16le";
  }
  return (first === 0xfe && second === 0xff) || (first === 0 && second) ? "utf-16be" : "utf-8";
}

/** The JSON values of a text, or the items of its arrays; null where it is anything else. */
function itemsOf(text) {
  try {
    const values = splitValues(text).map((value) => JSON.parse(value));
    const numArrays = values.filter(Array.isArray).length;
    if (numArrays > 0 && numArrays < values.length) {
      return null; // lines of ndjson after a damaged one
    }
    return values.flat();
  } catch {
    return null;
  }
}

/** The texts of JSON values that stand one after the other. */
function splitValues(text) {
  const values = [];
  let depth = 0;
  let start = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    depth += "[{".includes(token) ? 1 : "]}".includes(token) ? -1 : 0;
    if (depth === 0) {
      values.push(text.slice(start, index + token.length));
      start = index + token.length;
    }
  }
  return text.slice(start).trim() ? [...values, text.slice(start)] : values;
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
