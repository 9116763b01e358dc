// Says aloud what it sees, where the browser can and the user wants it.

import { recall, remember } from "./session.js";

export class Voice {
  constructor(toggle) {
    this.toggle = toggle;
    this.synthesis = window.speechSynthesis;
    toggle.hidden = !this.synthesis;
    this.set(Boolean(this.synthesis) && recall("voice") === true);
    toggle.addEventListener("click", () => this.set(!this.isOn));
  }

  set(isOn) {
    this.isOn = isOn;
    this.toggle.setAttribute("aria-pressed", String(isOn));
    remember("voice", isOn);
    if (!isOn && this.synthesis) {
      this.synthesis.cancel();
    }
  }

  /** Says it instead of what it is saying. */
  say(text) {
    if (!this.isOn) {
      return;
    }
    // Voices that are not local send their text to a server.
    const voice = this.synthesis
      .getVoices()
      .find(({ lang, localService }) => localService && lang.startsWith("en"));
    if (voice) {
      const utterance = new SpeechSynthesisUtterance(text);
      utterance.voice = voice;
      this.synthesis.cancel();
      this.synthesis.speak(utterance);
    }
  }
}
