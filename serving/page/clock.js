// The ring that drains in a round.

import { make, makeSvg } from "./elements.js";

const RADIUS = 20;
const LENGTH = 2 * Math.PI * RADIUS;
const SPOKEN = [10, 5]; // seconds left at which a screen reader hears of it

export class Clock {
  /** @param {function(string): void} say takes what a screen reader says. */
  constructor(say) {
    this.say = say;
    const circle = (name) => makeSvg("circle", { class: name, cx: 24, cy: 24, r: RADIUS });
    this.ring = circle("left");
    this.number = make("span");
    this.element = make(
      "div",
      { class: "clock", role: "timer", "aria-label": "Seconds left" },
      makeSvg("svg", { viewBox: "0 0 48 48", "aria-hidden": "true" }, circle("whole"), this.ring),
      this.number,
    );
    this.ring.style.strokeDasharray = LENGTH;
    this.shown = null;
  }

  show(left, seconds) {
    this.element.hidden = seconds === null;
    if (seconds === null) {
      return;
    }
    this.ring.style.strokeDashoffset = LENGTH * (1 - left / seconds);
    const whole = Math.ceil(left);
    if (whole !== this.shown) {
      this.shown = whole;
      this.number.textContent = whole;
      this.element.classList.toggle("urgent", whole <= SPOKEN[1]);
      if (SPOKEN.includes(whole) && whole < seconds) {
        this.say(`${whole} seconds left`);
      }
    }
  }
}
