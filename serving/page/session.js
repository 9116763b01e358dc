// What is under way survives a reload: it is kept for as long as the window is open.

/** Keeps a value under a name; null forgets it. */
export function remember(name, value) {
  try {
    if (value === null) {
      sessionStorage.removeItem(name);
    } else {
      sessionStorage.setItem(name, JSON.stringify(value));
    }
  } catch {
    // Forbidden here, or full: then a reload begins anew.
  }
}

/** What was kept under a name; null for nothing. */
export function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}
