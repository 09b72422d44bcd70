// Draws the charts of the board with Plotly from the data in the page, and reads them out by the arrow keys. Puts in what the
// board leaves to be asked for apart (data-fetch), because it takes longer.

const COLOURS = {
  light: ["#0072b2", "#b34e00", "#007a5a", "#a8457f", "#7a6000", "#2b7fb0", "#222222", "#6b6b6b"],
  dark: ["#56b4e9", "#f0a35c", "#3fcf9f", "#e59bc5", "#f0e442", "#9ad0f5", "#ffffff", "#b0b0b0"],
};
const DASHES = ["solid", "dash", "dashdot", "dot", "longdashdot", "longdash", "4px,2px,1px,2px", "2px,4px"];
const PATTERNS = ["", "/", ".", "\\", "x", "-", "+", "|"];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = () => getComputedStyle(document.documentElement).colorScheme.includes("dark");
// Plotly reads tags such as <b> in texts, and links; names come from outside.
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function traces(data) {
  const colours = COLOURS[isDark() ? "dark" : "light"];
  return data.lines.map(([name, values], number) => {
    const colour = colours[number % colours.length];
    const line = { color: colour, width: 2, dash: data.stacked ? "solid" : DASHES[number % DASHES.length] };
    const area = { stackgroup: "all", fillpattern: { shape: PATTERNS[number % PATTERNS.length], size: 6 } };
    return {
      type: "scatter", mode: "lines", name: plain(name), x: data.x, y: values, line, connectgaps: false,
      hovertemplate: data.percent ? "%{y:.0%}" : "%{y:,}",
      ...(data.stacked ? area : {}),
    };
  });
}

function layout(data) {
  const ink = style("--ink"), quiet = style("--line"), edge = style("--edge"), sheet = style("--sheet");
  const axis = { gridcolor: quiet, linecolor: edge, tickcolor: edge, zeroline: false, automargin: true };
  const bands = data.gaps.map(([since, until]) => ({
    type: "rect", xref: "x", yref: "paper", x0: since, x1: until, y0: 0, y1: 1, fillcolor: edge, opacity: 0.3, line: { width: 0 }, layer: "below",
  }));
  const marks = data.marks.map(([at]) => ({
    type: "line", xref: "x", yref: "paper", x0: at, x1: at, y0: 0, y1: 1, line: { color: ink, width: 1, dash: "dot" },
  }));
  const note = (x, text) => ({ x, y: 1, xref: "x", yref: "paper", yanchor: "bottom", text, showarrow: false, font: { size: 12, color: ink } });
  return {
    font: { family: style("--font"), color: ink, size: 13 },
    paper_bgcolor: sheet, plot_bgcolor: sheet, autosize: true, height: 400, margin: { t: 28, r: 12, b: 40, l: 56 },
    hovermode: "x unified", dragmode: "zoom", hoverlabel: { bgcolor: sheet, bordercolor: edge, font: { color: ink } },
    legend: { orientation: "h", y: -0.18, yanchor: "top" }, showlegend: true,
    xaxis: { ...axis, type: "date", range: data.span, hoverformat: "%a %d %b %Y, %H:%M" },
    yaxis: { ...axis, rangemode: "tozero", fixedrange: true, title: { text: plain(data.unit) }, tickformat: data.percent ? ".0%" : ",", ...(data.stacked ? { range: [0, 1] } : {}) },
    shapes: [...bands, ...marks],
    annotations: [...data.marks.map(([at, number]) => note(at, String(number))), ...data.gaps.map(([since, , name]) => ({ ...note(since, plain(name)), xanchor: "left" }))],
  };
}

const drawn = new Map();

function draw(place) {
  const data = JSON.parse(document.getElementById(`data-${place.dataset.chart}`).textContent);
  drawn.set(place, data);
  return Plotly.react(place, traces(data), layout(data), { displayModeBar: false, responsive: true });
}

function read(place, event) {
  const data = drawn.get(place), last = data.x.length - 1;
  if (last < 0) return;
  const at = Number(place.dataset.at ?? last);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
  if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const point = Math.min(last, Math.max(0, place.dataset.at === undefined ? last : next));
  place.dataset.at = point;
  const curves = data.lines.map((_, curveNumber) => ({ curveNumber, pointNumber: point })).filter((it) => data.lines[it.curveNumber][1][point] !== null);
  if (curves.length) Plotly.Fx.hover(place, curves);
  const written = (value) => (value === null ? "–" : data.percent ? `${Math.round(value * 100)} %` : value.toLocaleString(document.documentElement.lang));
  const words = data.lines.map(([name, values]) => `${name} ${written(values[point])}`).join(", ");
  const time = new Date(data.x[point]).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  document.querySelector(`[data-reads="${place.dataset.chart}"]`).textContent = `${time}: ${words}`;
}

// One after the other: Plotly cannot draw a chart anew while it still draws it.
let drawing = Promise.resolve();
const inTurn = (place) => { drawing = drawing.then(() => draw(place)); };
for (const place of document.querySelectorAll("[data-chart]")) {
  if (!window.Plotly) break;
  inTurn(place);
  place.addEventListener("keydown", (event) => read(place, event));
}
const again = () => drawn.forEach((_, place) => inTurn(place));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);

async function fill(place) {
  try {
    const answer = await fetch(place.dataset.fetch);
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.querySelector(`[data-part="${place.dataset.fetchPart}"]`);
    if (!part) return;
    const most = Number(place.dataset.fetchMost);
    if (most) part.querySelectorAll(`.list > :nth-child(n + ${most + 1})`).forEach((it) => it.remove());
    place.prepend(...part.childNodes);
    if (part.className) place.classList.add(...part.classList);
    if (!most) place.querySelector(":scope > a:last-child")?.remove();
  } catch { /* the link that stands there leads to the same */ }
}
const filled = new WeakSet();
const fillAll = () => document.querySelectorAll("[data-fetch]").forEach((it) => { if (!filled.has(it)) { filled.add(it); fill(it); } });
fillAll();
document.addEventListener("harken:exchanged", fillAll);
