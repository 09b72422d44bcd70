// Every action has a key, named on its element (data-key); lists are walked with j and k. Single keys can be switched off
// (WCAG 2.1, 2.1.4), and do nothing while one types.
const OFF = "harken-keys-off";
const words = document.body.dataset;
const off = () => localStorage.getItem(OFF) === "1";
const shown = (it) => it.checkVisibility?.() ?? it.offsetParent !== null;
const writes = (it) => it.isContentEditable || /^(TEXTAREA|SELECT)$/.test(it.tagName)
  || (it.tagName === "INPUT" && !/^(checkbox|radio|button|submit|range)$/.test(it.type));

function act(element) {
  if (element.matches("input:not([type=checkbox]), textarea, select")) element.focus();
  else if (element.matches("details")) { element.open = !element.open; element.querySelector("summary")?.focus(); }
  else { element.focus(); element.click(); }
}

let chosen = 0;
const items = () => [...document.querySelectorAll("[data-list] [data-item]")].filter(shown);
const link = (item) => item.matches("a") ? item : item.querySelector("a[href]");
function move(by) {
  const all = items();
  if (!all.length) return;
  const at = all.findIndex((it) => it.contains(document.activeElement));
  chosen = Math.max(0, Math.min(all.length - 1, at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by));
  link(all[chosen])?.focus();
  all[chosen].scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const at = document.activeElement;
  if (event.key === "Escape" && at && writes(at)) { at.blur(); return; }
  if ((at && writes(at)) || document.querySelector("dialog[open]")) return;
  const found = [...document.querySelectorAll(`[data-key="${CSS.escape(event.key)}"]`)].find((it) => shown(it) && !it.disabled);
  if (found && (event.key === "?" || !off())) { event.preventDefault(); act(found); return; }
  if (off()) return;
  if (event.key === "j" || event.key === "k") { event.preventDefault(); move(event.key === "j" ? 1 : -1); }
});

// Ctrl or Cmd with Enter sends the form one writes in.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) document.activeElement?.form?.requestSubmit();
});

const make = (tag, text, attributes = {}) => Object.assign(document.createElement(tag), { textContent: text }, attributes);
function help() {
  const dialog = make("dialog", "", { className: "card help" });
  const list = make("dl", "", { className: "facts keys" });
  const rows = new Map();
  for (const it of document.querySelectorAll("[data-key]")) {
    if (!shown(it)) continue;
    const label = it.dataset.keyLabel || it.getAttribute("aria-label")
      || [...it.childNodes].filter((node) => node.nodeName !== "KBD").map((node) => node.textContent).join("").trim();
    if (!rows.has(it.dataset.key)) rows.set(it.dataset.key, label);
  }
  if (items().length) rows.set("j / k", words.textMove).set("Enter", words.textOpen);
  for (const [key, label] of rows) {
    const name = make("dt", "");
    name.append(make("kbd", key));
    list.append(name, make("dd", label));
  }
  const toggle = make("button", off() ? words.textOn : words.textOff, { type: "button" });
  toggle.addEventListener("click", () => {
    localStorage.setItem(OFF, off() ? "0" : "1");
    toggle.textContent = off() ? words.textOn : words.textOff;
  });
  const close = make("button", words.textClose, { type: "button", className: "main" });
  close.addEventListener("click", () => dialog.close());
  const row = make("p", "", { className: "row" });
  row.append(toggle, close);
  const heading = make("h2", words.textKeys, { id: "keys-heading" });
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.append(heading, list, row);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
for (const button of document.querySelectorAll(".keys-help")) {
  button.hidden = false;
  button.addEventListener("click", help);
}

// On a narrow screen the navigation scrolls sideways: one sees where one is.
document.querySelector(".side nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
