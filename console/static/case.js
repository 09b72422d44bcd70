// One case: the answer is looked at while it is typed, macros are put in with a press, choices are made with a key, and
// the lease is kept up while the page is open. Without this every form still works.
const CHECK_MS = 400, BEAT_MS = 60_000;

let waits = 0, asked = 0;
async function check(field) {
  const mine = ++asked, form = field.form;
  const body = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch(field.dataset.check, { method: "POST", body });
    if (!answer.ok || mine !== asked || answer.redirected) return;
    const place = document.getElementById("answer-check");
    if (place) place.innerHTML = await answer.text(); // our own page: everything in it is escaped
  } catch { /* the line is down: the words stay, and are looked at with the next letter */ }
}
const look = (field) => { clearTimeout(waits); waits = setTimeout(() => check(field), CHECK_MS); };
// What is typed goes on from the version it was begun with, so that a colleague's words are not overwritten unseen.
let begun = null;
document.addEventListener("input", (event) => {
  const field = event.target.name === "private" ? document.getElementById("answer") : event.target;
  if (!field?.matches?.("[data-check]")) return;
  const { draft, version } = field.form.elements;
  begun ??= { draft: draft.value, version: version.value };
  keep(field);
  look(field);
});
// The part with words in it stays where the page has none any more, since what it answered is gone.
const keep = (field) => field.closest("[data-part]")?.toggleAttribute("data-keep", field.value.trim() !== "");
document.addEventListener("harken:exchanged", () => {
  const field = document.querySelector("[data-check]");
  const can = document.querySelector("[data-answerable]");
  if (field) keep(field);
  for (const button of document.querySelectorAll("#composer button")) button.disabled = !can;
  if (field && field.value !== field.defaultValue) {
    if (begun) for (const name of ["draft", "version"]) field.form.elements[name].value = begun[name];
    look(field);
  } else begun = null;
  // What was said of an earlier press is no longer so.
  if (document.querySelector("[data-part=case-news] .bad")) document.querySelector(".notices .good")?.remove();
});

document.addEventListener("click", (event) => {
  const macro = event.target.closest?.("[data-insert]");
  const field = document.getElementById("answer");
  if (!macro || !field?.form) return;
  event.preventDefault();
  field.focus();
  field.setRangeText(macro.dataset.insert, field.selectionStart, field.selectionEnd, "end");
  field.form.elements.macro.value = macro.dataset.macro;
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// A chooser that is open takes the next key; what it does not know closes nothing and goes on to the page.
const writes = (it) => it?.matches?.("textarea, select, input:not([type=checkbox], [type=radio])");
const open = () => [...document.querySelectorAll("details.chooser[open]")].reverse()
  .find((it) => it.contains(document.activeElement));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const chooser = open();
  if (!chooser) return;
  if (event.key === "Escape") {
    chooser.open = false;
    chooser.querySelector("summary")?.focus();
    event.preventDefault();
    return event.stopImmediatePropagation();
  }
  if (writes(document.activeElement) || localStorage.getItem("harken-keys-off") === "1") return;
  const choice = chooser.querySelector(`[data-choice="${CSS.escape(event.key)}"]`);
  if (!choice) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  choice.click();
}, true);
document.addEventListener("submit", (event) => {
  const chooser = event.target.closest?.("details.chooser");
  if (chooser) setTimeout(() => { chooser.open = false; });
}, true);
document.addEventListener("toggle", (event) => {
  const chooser = event.target;
  if (!chooser.matches?.("details.chooser") || !chooser.open) return;
  for (const other of document.querySelectorAll("details.chooser[open]")) if (other !== chooser) other.open = false;
  if (!chooser.querySelector("[data-choice]")) chooser.querySelector("input:not([type=hidden]), textarea")?.focus();
}, true);

// Saying that its reader is still there; that it is somebody else's by now is heard on the stream of events.
setInterval(() => {
  const beat = document.querySelector("[data-heartbeat]");
  if (!beat || document.hidden) return;
  const { heartbeat, token, csrf } = beat.dataset;
  fetch(heartbeat, { method: "POST", body: new URLSearchParams({ token, csrf }) })
    .then((answer) => { if (answer.status === 409) import("./live.js").then((live) => live.refresh()); })
    .catch(() => { /* the line is down: it is said again in a minute */ });
}, BEAT_MS);
