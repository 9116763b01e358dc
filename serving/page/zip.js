// Several files as one: a zip archive that stores them, without compression.

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20; // 2.0, what storing takes
const UTF8_NAMES = 1 << 11;
const FIRST_DAY = (1 << 5) | 1; // the first of January of 1980: an archive of the same files is the same

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return value;
});

/**
 * @param {[string, Uint8Array][]} files names, in UTF-8 within the archive, and what is in them.
 * @returns {Uint8Array} the archive.
 */
export function zip(files) {
  const parts = [];
  const directory = [];
  let length = 0;
  const put = (part) => {
    parts.push(part);
    length += part.length;
  };
  for (const [text, bytes] of files) {
    const name = new TextEncoder().encode(text);
    const common = [
      [2, VERSION],
      [2, UTF8_NAMES],
      [2, 0], // stored
      [2, 0], // time
      [2, FIRST_DAY],
      [4, crc32(bytes)],
      [4, bytes.length],
      [4, bytes.length],
      [2, name.length],
      [2, 0], // no extra field
    ];
    directory.push([record([[4, CENTRAL], [2, VERSION], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, length]]), name]);
    put(record([[4, LOCAL], ...common]));
    put(name);
    put(bytes);
  }
  const start = length;
  directory.flat().forEach(put);
  const count = files.length;
  put(record([[4, END], [2, 0], [2, 0], [2, count], [2, count], [4, length - start], [4, start], [2, 0]]));
  const archive = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

/** Numbers of two or four bytes each, little-endian. */
function record(fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) {
      view.setUint16(at, value, true);
    } else {
      view.setUint32(at, value, true);
    }
    at += size;
  }
  return new Uint8Array(view.buffer);
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
