// Keeps the page fresh: each event brings what is in `main`. A part that has not changed is left alone, what a person has
// opened stays open, and nothing moves under a pointer that is pressed.
"use strict";
const live = document.getElementById("live");
let shown = [];
let late = null;
let isPressed = false;

function show(content) {
  const drawn = document.createElement("template");
  drawn.innerHTML = content;
  const parts = Array.from(drawn.content.children);
  const open = Array.from(live.querySelectorAll("details[open]"), (node) => node.id);
  const button = document.activeElement;
  const of = button && button.closest("details");
  parts.forEach((part, at) => {
    const text = part.outerHTML;
    const old = live.children[at];
    if (!old) live.append(part);
    else if (text !== shown[at]) old.replaceWith(part);
    shown[at] = text;
  });
  for (const id of open) {
    const node = document.getElementById(id);
    if (node) node.open = true;
  }
  if (of && button.value && !button.isConnected) {
    const again = document.getElementById(of.id);
    const buttons = again ? Array.from(again.querySelectorAll("button")) : [];
    const same = buttons.find((one) => one.value === button.value);
    if (same) same.focus();
  }
}

const events = new EventSource("/events");
events.onmessage = (event) => {
  if (isPressed) late = event.data;
  else show(event.data);
};
addEventListener("pointerdown", () => {
  isPressed = true;
});
for (const ends of ["pointerup", "pointercancel"]) {
  addEventListener(ends, () => {
    isPressed = false;
    // After the click that this may be the end of.
    setTimeout(() => {
      if (late !== null && !isPressed) show(late);
      late = null;
    });
  });
}
// A button acts without leaving the page.
live.addEventListener("submit", (event) => {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target));
  body.set("what", event.submitter.value);
  fetch("/act", { method: "POST", body });
});
