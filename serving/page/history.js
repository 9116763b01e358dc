// The steps in which a drawing was made, to and fro.

const MAX_STEPS = 500;

export class History {
  constructor() {
    this.reset([]);
  }

  /** Begins with a drawing that nothing came before. */
  reset(strokes) {
    this.steps = [strokes];
    this.at = 0;
  }

  get strokes() {
    return this.steps[this.at];
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.steps.length - 1;
  }

  /** Takes a step; those that were taken back are gone. */
  push(strokes) {
    this.steps = [...this.steps.slice(0, this.at + 1), strokes].slice(-MAX_STEPS);
    this.at = this.steps.length - 1;
  }

  /** @returns {number[][][]} what is drawn then. */
  undo() {
    this.at = Math.max(this.at - 1, 0);
    return this.strokes;
  }

  redo() {
    this.at = Math.min(this.at + 1, this.steps.length - 1);
    return this.strokes;
  }
}
