// The drawings of a game as a picture to save or to send.

import { boundsOf, drawStrokes } from "./sketch.js";

const COLUMNS = 3;
const CELL = 400;
const LABEL = 64;
const HEAD = 120;
const MARGIN = 40;
const FONT = "system-ui, sans-serif";
const COLORS = { paper: "#f4f0e8", sheet: "#ffffff", ink: "#1d1b16", right: "#11733a", missed: "#5e594e" };

/** @returns {Promise<Blob>} a PNG of the rounds of a game, below a title. */
export function pictureOf(rounds, title) {
  const columns = Math.min(COLUMNS, rounds.length);
  const canvas = document.createElement("canvas");
  canvas.width = columns * CELL + 2 * MARGIN;
  canvas.height = HEAD + Math.ceil(rounds.length / columns) * (CELL + LABEL) + MARGIN;
  const context = canvas.getContext("2d");
  context.fillStyle = COLORS.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  write(context, title, canvas.width / 2, HEAD / 2 + MARGIN / 2, 44, COLORS.ink, canvas.width - 2 * MARGIN);
  rounds.forEach((round, i) => {
    const left = MARGIN + (i % columns) * CELL;
    const top = HEAD + Math.floor(i / columns) * (CELL + LABEL);
    drawRound(context, round, left, top);
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function drawRound(context, { word, strokes, seconds }, left, top) {
  const side = CELL - 24;
  context.fillStyle = COLORS.sheet;
  context.beginPath();
  context.roundRect(left + 12, top, side, side, 24);
  context.fill();
  if (strokes.length) {
    drawInBox(context, strokes, left + 12 + side / 2, top + side / 2, side - 60);
  }
  const text = seconds === null ? word : `${word} ✓`;
  const color = seconds === null ? COLORS.missed : COLORS.right;
  write(context, text, left + CELL / 2, top + side + 38, 30, color, side);
}

function drawInBox(context, strokes, x, y, side) {
  const { left, top, width, height } = boundsOf(strokes);
  const scale = side / Math.max(width, height, 1);
  context.save();
  context.translate(x, y);
  context.scale(scale, scale);
  context.translate(-left - width / 2, -top - height / 2);
  context.lineWidth = 5 / scale;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = context.fillStyle = COLORS.ink;
  drawStrokes(context, strokes);
  context.restore();
}

function write(context, text, x, y, size, color, width) {
  context.font = `600 ${size}px ${FONT}`;
  context.fillStyle = color;
  context.textAlign = "center";
  context.fillText(text, x, y, width);
}

/** Whether this browser can hand a picture to other programs. */
export function canShare() {
  const file = new File([], "drawings.png", { type: "image/png" });
  return Boolean(navigator.canShare && navigator.canShare({ files: [file] }));
}

/** Hands a picture to another program; the user may cancel. */
export async function share(blob, title) {
  const file = new File([blob], "drawings.png", { type: "image/png" });
  try {
    await navigator.share({ files: [file], title });
  } catch (error) {
    if (error.name !== "AbortError") {
      throw error;
    }
  }
}
