// Celebrates, where motion is welcome.

const PIECES = 90;
const MILLISECONDS = 1600;
const GRAVITY = 1.6; // heights of the canvas a second, each second

/** Throws confetti over a canvas once. */
export function celebrate(canvas, random = Math.random) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    return;
  }
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const context = canvas.getContext("2d");
  const colors = ["--accent", "--accent-soft", "--right"].map((name) =>
    getComputedStyle(canvas).getPropertyValue(name),
  );
  const pieces = Array.from({ length: PIECES }, (_, i) => ({
    x: 0.5,
    y: 0.55,
    dx: (random() - 0.5) * 1.6,
    dy: -0.5 - random(),
    turn: random() * 6,
    color: colors[i % colors.length],
  }));
  const start = performance.now();
  const size = Math.min(canvas.width, canvas.height) / 45;
  const step = (now) => {
    const seconds = (now - start) / 1000;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (now - start > MILLISECONDS) {
      return;
    }
    context.globalAlpha = Math.min(1, 2 - (2 * (now - start)) / MILLISECONDS);
    for (const { x, y, dx, dy, turn, color } of pieces) {
      context.save();
      context.translate(
        (x + dx * seconds) * canvas.width,
        (y + dy * seconds + (GRAVITY / 2) * seconds * seconds) * canvas.height,
      );
      context.rotate(turn + 5 * seconds * dx);
      context.fillStyle = color;
      context.fillRect(-size / 2, -size / 4, size, size / 2);
      context.restore();
    }
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
