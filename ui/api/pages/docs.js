// Makes every example of this page one that can be sent. What is sent goes to this gateway alone,
// as whoever is signed in here, or as the owner of the token in the field, which is kept nowhere.
"use strict";

function valuesOf(form, place) {
  return [...form.querySelectorAll(`[data-in="${place}"]`)].filter((field) => field.value !== "");
}

function address(form) {
  let path = form.dataset.path;
  for (const field of valuesOf(form, "path")) {
    path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
  }
  const query = new URLSearchParams(valuesOf(form, "query").map((field) => [field.name, field.value]));
  return query.size ? `${path}?${query}` : path;
}

function headersOf(form) {
  const headers = {};
  for (const field of valuesOf(form, "header")) headers[field.name] = field.value;
  const token = document.querySelector("#token").value.trim();
  if (token) headers.Authorization = `Bearer ${token}`;
  if (form.elements.body) headers["Content-Type"] = "application/json";
  return headers;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

async function send(form) {
  const shown = form.querySelector("output");
  shown.textContent = "…";
  const asked = { method: form.dataset.verb, headers: headersOf(form) };
  if (form.elements.body) asked.body = form.elements.body.value;
  try {
    const answer = await fetch(address(form), asked);
    shown.textContent = `${answer.status} ${answer.statusText}\n${pretty(await answer.text())}`;
  } catch (error) {
    shown.textContent = `No answer: ${error.message}`;
  }
}

for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
}
document.querySelector("#who").hidden = false;
