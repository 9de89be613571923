// A page that shows what changes fetches itself anew when an event tells that something did.
// Everything works without this script too; it only saves pressing reload.
"use strict";
const live = document.querySelector("[data-live]");
const told = document.querySelector("#live-status");
let due = null;

function say(text) {
  if (told && told.textContent !== text) told.textContent = text;
}

function isBusy() {
  const active = document.activeElement;
  return live.contains(active) && active.matches("input, textarea, select");
}

async function refresh() {
  due = null;
  if (isBusy()) { later(2000); return; }
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (answer.redirected) { location.reload(); return; }
  if (!answer.ok) { say("not up to date, trying again"); later(5000); return; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-live]");
  if (fresh && fresh.innerHTML !== live.innerHTML && !isBusy()) live.innerHTML = fresh.innerHTML;
}

function later(milliseconds) {
  if (due === null) due = setTimeout(() => refresh().catch(() => say("not up to date")), milliseconds);
}

if (live && "EventSource" in window) {
  for (const feed of live.dataset.live.split(" ")) {
    const source = new EventSource("/api/v1/events/" + feed);
    source.onopen = () => say("live");
    source.onerror = () => say(source.readyState === EventSource.CLOSED ? "" : "reconnecting");
    source.onmessage = () => later(800);
  }
}
