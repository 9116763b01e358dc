// The one program of the page: in a worker it answers, in the window it is the page.

import { byId } from "./elements.js";
import { serve } from "./guesser.js";
import { startPage } from "./page.js";

if (typeof document === "undefined") {
  serve(self);
} else {
  try {
    startPage(byId("program").textContent);
  } catch (error) {
    byId("app").hidden = true;
    byId("dead").textContent = `This page cannot work in this browser: ${error.message}`;
  }
}
