// Keeps the page fresh: each event brings what is in `main`. What a person has opened stays open.
"use strict";
const live = document.getElementById("live");
const events = new EventSource("/events");
events.onmessage = (event) => {
  const open = Array.from(live.querySelectorAll("details[open]"), (node) => node.id);
  const at = document.activeElement && document.activeElement.closest("details");
  const focused = at && document.activeElement.value;
  live.innerHTML = event.data;
  for (const id of open) {
    const node = document.getElementById(id);
    if (node) node.open = true;
  }
  if (at && focused) {
    const again = document.getElementById(at.id);
    const button = again && Array.from(again.querySelectorAll("button")).find((one) => one.value === focused);
    if (button) button.focus();
  }
};
// A button acts without leaving the page.
live.addEventListener("submit", (event) => {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target));
  body.set("what", event.submitter.value);
  fetch("/act", { method: "POST", body });
});
