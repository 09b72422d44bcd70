// A page that keeps itself up to date: its parts (data-part) are exchanged for new ones when something happens, and when a
// form (data-live) was answered. What a person is doing stays: typed text, focus, selection, scroll, opened details.

const main = () => document.getElementById("main");
const FIELDS = "textarea, select, input:not([type=hidden])";
const SOON_MS = 100, APART_MS = 1000;

const typed = (field) =>
  field.tagName === "SELECT" ? [...field.options].some((it) => it.selected !== it.defaultSelected)
  : field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
  : field.value !== field.defaultValue;

const nameOf = (field) => field.id || (field.form?.getAttribute("action") ?? "") + " " + field.name;

function remember(part) {
  const fields = new Map();
  for (const field of part.querySelectorAll(FIELDS)) {
    if (typed(field)) fields.set(nameOf(field), { value: field.value, checked: field.checked, top: field.scrollTop });
  }
  const open = new Map([...part.querySelectorAll("details[id]")].map((it) => [it.id, it.open]));
  const at = document.activeElement;
  const focus = at && part.contains(at) && (at.id || at.name)
    ? { name: nameOf(at), from: at.selectionStart, to: at.selectionEnd } : null;
  const href = !focus && at && part.contains(at) ? at.getAttribute("href") : null;
  return { fields, open, focus, href };
}

function restore(part, kept) {
  for (const field of part.querySelectorAll(FIELDS)) {
    const was = kept.fields.get(nameOf(field));
    if (was) {
      field.value = was.value;
      if ("checked" in field) field.checked = was.checked;
      field.scrollTop = was.top;
    }
    if (kept.focus?.name === nameOf(field)) {
      field.focus({ preventScroll: true });
      if (kept.focus.from != null) try { field.setSelectionRange(kept.focus.from, kept.focus.to); } catch { /* not a text field */ }
    }
  }
  for (const it of part.querySelectorAll("details[id]")) if (kept.open.has(it.id)) it.open = kept.open.get(it.id);
  if (kept.href) part.querySelector(`[href="${CSS.escape(kept.href)}"]`)?.focus({ preventScroll: true });
}

// Puts in the parts of another version of this page; `fresh` names a form whose fields are to be as sent back.
function exchange(page, fresh) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!next) { if (!part.hasAttribute("data-keep")) part.remove(); continue; }
    if (part.dataset.part === "notices" && !next.childElementCount) continue;
    if (!fresh && part.isEqualNode(next)) continue;
    const kept = remember(part);
    if (fresh) for (const field of part.querySelectorAll(FIELDS)) if (field.form === fresh) kept.fields.delete(nameOf(field));
    part.replaceWith(next);
    restore(next, kept);
  }
  document.dispatchEvent(new CustomEvent("harken:exchanged"));
}

export async function refresh() {
  const answer = await fetch(location.href, { headers: { "X-Harken-Live": "1" } });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") return gone();
  if (!answer.ok) return missing(answer);
  exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

function notice(text, tone) {
  const place = document.querySelector(".notices");
  if (!place || [...place.children].some((it) => it.textContent === text)) return;
  const note = Object.assign(document.createElement("div"), { className: `notice ${tone}`, textContent: text });
  place.append(note);
}

const words = document.body.dataset; // said in the reader's language by the page
const gone = () => notice(words.textGone, "bad");

async function missing(answer) {
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  notice(page.querySelector("#main .card .big")?.textContent?.trim() || answer.statusText, "bad");
}

// The first of many events is shown at once; the more a refresh costs, the further apart they are.
let due = 0, again = false, last = -Infinity, apart = APART_MS;
export function soon() {
  again = true;
  if (due || document.hidden) return;
  due = setTimeout(async () => {
    const began = performance.now();
    again = false;
    try { await refresh(); } catch { /* the line is down: the stream comes back and with it the next refresh */ }
    last = performance.now();
    apart = Math.max(APART_MS, 10 * (last - began));
    due = 0;
    if (again) soon(); // what happened while this one was on its way may not be in it
  }, Math.max(SOON_MS, last + apart - performance.now()));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-live]") || event.defaultPrevented) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const buttons = [...form.querySelectorAll("button")];
  buttons.forEach((it) => (it.disabled = true));
  try {
    // Not form.action: a field of that name stands before it.
    const address = event.submitter?.getAttribute("formaction") || form.getAttribute("action");
    const answer = await fetch(address, { method: "POST", body });
    const url = new URL(answer.url);
    if (answer.redirected && url.pathname === "/sign-in") return gone();
    if (!answer.ok) return await missing(answer);
    if (url.pathname !== location.pathname) return location.assign(answer.url);
    document.querySelector(".notices")?.replaceChildren();
    if (answer.url !== location.href) history.replaceState(null, "", answer.url);
    exchange(new DOMParser().parseFromString(await answer.text(), "text/html"), form);
  } catch {
    notice(words.textOffline, "bad");
  } finally {
    buttons.forEach((it) => (it.disabled = false));
  }
});

const wanted = main()?.dataset.events;
if (wanted !== undefined) {
  const stream = new EventSource(`/api/v1/events?${wanted}`);
  for (const name of words.eventNames.split(" ")) stream.addEventListener(name, soon);
  let opened = false;
  stream.addEventListener("open", () => { if (opened) soon(); opened = true; });
  window.addEventListener("pagehide", () => stream.close());
}
const every = Number(main()?.dataset.poll);
if (every > 0) setInterval(soon, every * 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden && (wanted !== undefined || every > 0)) soon(); });
