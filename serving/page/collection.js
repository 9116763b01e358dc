// One's own drawings, kept in the browser: in IndexedDB where there is one, else in memory.

const DATABASE = "drawings";
const STORE = "drawings";

/** The drawings that were kept, by word. */
export class Collection {
  constructor() {
    this.database = null;
    this.drawings = new Map(); // by a key
    this.numAdded = 0;
  }

  /** Takes what was kept before; without a database there is nothing, and nothing lasts. */
  async load() {
    try {
      this.database = await openDatabase();
      const store = this.database.transaction(STORE).objectStore(STORE);
      const [keys, values] = await Promise.all([
        finished(store.getAllKeys()),
        finished(store.getAll()),
      ]);
      keys.forEach((key, i) => this.drawings.set(key, values[i]));
    } catch {
      this.database = null; // a private window, or one that forbids it
    }
  }

  /** Whether what is kept is there after a reload. */
  get isLasting() {
    return this.database !== null;
  }

  /** Words in alphabetical order, each with its `[key, drawing]` in the order of drawing. */
  byWord() {
    const words = new Map();
    for (const entry of this.drawings) {
      const { word } = entry[1];
      if (!words.has(word)) {
        words.set(word, []);
      }
      words.get(word).push(entry);
    }
    return new Map([...words].sort(([a], [b]) => a.localeCompare(b)));
  }

  /** Keeps drawings; rejects where the storage is full, and has kept none then. */
  async add(drawings) {
    let keys = drawings.map(() => this.numAdded++);
    if (this.database) {
      const requests = await this.write((store) => drawings.map((drawing) => store.add(drawing)));
      keys = requests.map((request) => request.result);
    }
    keys.forEach((key, i) => this.drawings.set(key, drawings[i]));
  }

  async remove(keys) {
    if (this.database) {
      await this.write((store) => keys.map((key) => store.delete(key)));
    }
    keys.forEach((key) => this.drawings.delete(key));
  }

  /** Makes requests of the database; they are all done, or none is. */
  async write(makeRequests) {
    const transaction = this.database.transaction(STORE, "readwrite");
    const requests = makeRequests(transaction.objectStore(STORE));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return requests;
  }
}

async function openDatabase() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { autoIncrement: true });
  return finished(request);
}

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
