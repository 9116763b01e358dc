// The face beside the board and what it says.

import { byId } from "./elements.js";
import { sentence } from "./sentences.js";

const MOUTHS = { calm: "M17 33c4 3.5 10 3.5 14 0", sure: "M15 31c4 9 14 9 18 0z", puzzled: "M18 35h9" };
const EYES = 3; // how far they turn, in the face's units

export class Talk {
  /** @param {Voice} voice says what stands in the bubble. */
  constructor(voice) {
    this.voice = voice;
    this.face = byId("face");
    this.eyes = this.face.querySelector(".eyes");
  }

  /** Says what it takes the drawing for; in a game it is sure of the wanted word alone. */
  name({ word, named, isSure }, wanted = word) {
    const { trail, text } = sentence({ word, named, isSure: isSure && word === wanted });
    this.say(text, trail);
    this.setMood(word === null ? "puzzled" : isSure && word === wanted ? "sure" : "calm");
  }

  setMood(mood) {
    this.face.querySelector(".mouth").setAttribute("d", MOUTHS[mood]);
    this.face.classList.toggle("sure", mood === "sure");
  }

  say(text, trail = "") {
    const bubble = byId("bubble");
    if (bubble.textContent !== text) {
      bubble.textContent = text;
      this.voice.say(text);
    }
    byId("trail").textContent = trail;
    this.setMood("calm");
  }

  /** Looks at a point of the window. */
  lookAt(x, y) {
    const box = this.face.getBoundingClientRect();
    const [dx, dy] = [x - box.left - box.width / 2, y - box.top - box.height / 2];
    const share = EYES / Math.max(Math.sqrt(dx * dx + dy * dy), 1);
    this.eyes.setAttribute("transform", `translate(${dx * share} ${dy * share})`);
  }
}
