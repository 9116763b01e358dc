// The user's drawings, kept in the browser: in IndexedDB where possible, else in memory.

const DATABASE = "drawings"; // of the pages that were not saved with drawings inside
const STORE = "drawings";
const REQUESTS_AT_ONCE = 200;

/** The drawings that were kept, by word. */
export class Collection {
  /** @param {{name: string, drawings: object[]}|null} saved what the page was saved with. */
  constructor(saved = null) {
    this.saved = saved;
    this.name = saved ? `${DATABASE} ${saved.name}` : DATABASE;
    this.database = null;
    this.drawings = new Map(); // by a key
    this.numAdded = 0;
  }

  /** Takes what was kept before; without a database there is nothing, and nothing lasts. */
  async load() {
    try {
      this.database = await openDatabase(this.name);
      const store = this.database.transaction(STORE).objectStore(STORE);
      const [keys, values] = await Promise.all([
        finished(store.getAllKeys()),
        finished(store.getAll()),
      ]);
      keys.forEach((key, i) => this.drawings.set(key, values[i]));
    } catch {
      this.database = null; // a private window, or one that forbids it
    }
    await this.takeSaved();
  }

  /** Takes what the page was saved with, once: what is deleted stays so. */
  async takeSaved() {
    if (!this.saved) {
      return;
    }
    const mark = `${this.name} taken`;
    try {
      if (this.database && localStorage.getItem(mark)) {
        return;
      }
      localStorage.setItem(mark, "yes");
    } catch {
      // Forbidden here: then they are taken each time.
    }
    await this.add(this.saved.drawings);
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

  /**
   * Keeps those of the drawings that are not there yet, by word and number; rejects where the
   * storage is full, and has kept none then.
   *
   * @returns {Promise<number>} how many are new.
   */
  async add(drawings) {
    const identity = ({ word, keyId }) => `${keyId} ${word}`;
    const known = new Set([...this.drawings.values()].map(identity));
    const fresh = drawings.filter((drawing) => {
      const isNew = !known.has(identity(drawing));
      known.add(identity(drawing));
      return isNew;
    });
    let keys = await this.write(fresh, (store, drawing) => store.add(drawing));
    keys = keys || fresh.map(() => `memory ${this.numAdded++}`);
    keys.forEach((key, i) => this.drawings.set(key, fresh[i]));
    return fresh.length;
  }

  async remove(keys) {
    await this.write(keys, (store, key) => store.delete(key));
    keys.forEach((key) => this.drawings.delete(key));
  }

  /**
   * Makes a request of the database for each item; all are done, or none is. A database that was
   * closed under the page, such as by clearing the storage, is made anew with all that is here.
   *
   * @returns {Promise<Array|null>} the results; null without a database.
   */
  async write(items, request) {
    if (!this.database) {
      return null;
    }
    try {
      return await this.transact(items, request);
    } catch (error) {
      if (error.name !== "InvalidStateError" && error.name !== "NotFoundError") {
        throw error;
      }
    }
    try {
      this.database = await openDatabase(this.name);
      await this.transact([...this.drawings], (store, [key, drawing]) => store.put(drawing, key));
      return await this.transact(items, request);
    } catch {
      this.database = null;
      return null;
    }
  }

  /** Makes requests in one transaction, in batches. */
  async transact(items, request) {
    const transaction = this.database.transaction(STORE, "readwrite");
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const store = transaction.objectStore(STORE);
    const results = [];
    try {
      for (let start = 0; start < items.length; start += REQUESTS_AT_ONCE) {
        const batch = items.slice(start, start + REQUESTS_AT_ONCE);
        results.push(...(await Promise.all(batch.map((item) => finished(request(store, item))))));
      }
    } catch (error) {
      done.catch(() => {}); // follows from the error
      try {
        transaction.abort();
      } catch {
        // It has ended by itself.
      }
      throw error;
    }
    await done;
    return results;
  }
}

async function openDatabase(name) {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { autoIncrement: true });
  return finished(request);
}

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
