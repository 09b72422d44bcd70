// Countdowns tick, and the page learns the reader's time zone once.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`harken_zone=${zone}`)) {
  document.cookie = `harken_zone=${zone}; path=/; max-age=31536000; samesite=lax` + (location.protocol === "https:" ? "; secure" : "");
  if (document.querySelector("time")) import("./live.js").then((live) => live.refresh());
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const write = (secs) => {
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(secs / size);
    if (parts.length || count) parts.push(new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "short" }).format(count));
    secs -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join(" ") || new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit: "second", unitDisplay: "short" }).format(Math.floor(secs));
};
setInterval(() => {
  for (const it of document.querySelectorAll("[data-due]")) {
    const left = (Date.parse(it.dataset.due) - Date.now()) / 1000;
    const text = (left < 0 ? it.dataset.over : it.dataset.left).replace("{}", write(Math.abs(left)));
    if (it.textContent !== text) it.textContent = text;
    const tone = left < 0 ? "bad" : left < 900 ? "warn" : "good";
    if (!it.classList.contains(tone)) { it.classList.remove("bad", "warn", "good"); it.classList.add(tone); }
  }
}, 1000);
