// Draws the Plotly figures of a page. A figure made in Python comes as JSON in the page
// (`json_script`); `[data-chart]` names it. Colours come from the tokens, so one figure serves
// both themes. Plotly itself is fetched only where there is a chart.

// Plotly writes its rules into style elements of its own, which our policy forbids, unless elements
// with these ids are there already. The rules it needs stand in chart.css.
const STYLE_IDS = ["plotly.js-style-global", "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53"];
const CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: "reset", showTips: false };

let library = null;

function load() {
  library ??= new Promise((resolve, reject) => {
    for (const id of STYLE_IDS) {
      const stand = document.createElement("template");
      stand.id = id;
      stand.className = "no-inline-styles";
      document.head.append(stand);
    }
    const script = document.createElement("script");
    script.src = document.querySelector("meta[name=plotly]").content;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("Plotly could not be loaded"));
    document.head.append(script);
  });
  return library;
}

// Plotly reads rgb() and hex only: let the browser paint the token and read the pixel back.
const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function colour(name, scope) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  scope.append(probe);
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = getComputedStyle(probe).color;
  pen.fillRect(0, 0, 1, 1);
  probe.remove();
  const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
  return `rgb(${red}, ${green}, ${blue})`;
}

function axis(own, paint) {
  return {
    gridcolor: paint("line"), linecolor: paint("line-strong"), zerolinecolor: paint("line-strong"), zeroline: false,
    tickfont: { size: 11, color: paint("ink-3") }, automargin: true, fixedrange: false, ...own,
    title: own?.title && { standoff: 8, ...(typeof own.title === "string" ? { text: own.title } : own.title), font: { size: 11, color: paint("ink-3") } },
  };
}

function dressed(layout, paint) {
  const axes = Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));
  const made = Object.fromEntries([...new Set(["xaxis", "yaxis", ...axes])].map((name) => [name, axis(layout[name], paint)]));
  if (!layout.xaxis?.showgrid) made.xaxis.showgrid = false;
  return {
    margin: { l: 8, r: 12, t: 8, b: 8 }, hovermode: "x unified", dragmode: "zoom",
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11, color: paint("ink-2") } },
    ...layout, ...made,
    template: undefined, autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    colorway: [1, 2, 3, 4, 5, 6].map((n) => paint(`series-${n}`)),
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: paint("ink-2") },
    hoverlabel: { bgcolor: paint("raised"), bordercolor: paint("line-strong"), font: { size: 12, color: paint("ink") } },
  };
}

// A figure may name a token where a colour is meant: "--good".
function resolved(value, paint) {
  if (typeof value === "string") return value.startsWith("--") ? paint(value.slice(2)) : value;
  if (Array.isArray(value)) return value.map((one) => resolved(one, paint));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolved(one, paint)]));
  }
  return value;
}

function figureOf(place) {
  const source = document.getElementById(place.dataset.chart);
  if (!source) return null;
  const figure = JSON.parse(source.textContent);
  return typeof figure === "string" ? JSON.parse(figure) : figure;
}

async function draw(place) {
  const figure = figureOf(place);
  if (!figure) return;
  const Plotly = await load();
  if (!place.isConnected) return;
  const known = new Map();
  const paint = (name) => known.get(name) ?? known.set(name, colour(name, place.parentElement)).get(name);
  const layout = dressed(resolved(figure.layout ?? {}, paint), paint);
  const first = !place.classList.contains("js-plotly-plot");
  await Plotly.react(place, resolved(figure.data ?? [], paint), { ...layout, uirevision: "kept" }, CONFIG);
  if (first) watch(place);
}

// Pages hear `chart:range` (a span was drawn) and `chart:point` (a point was clicked).
function watch(place) {
  sizes.observe(place);
  place.on("plotly_relayout", (change) => {
    const from = change["xaxis.range[0]"];
    if (from === undefined) return;
    const detail = { from, to: change["xaxis.range[1]"] };
    place.dispatchEvent(new CustomEvent("chart:range", { bubbles: true, detail }));
  });
  place.on("plotly_click", ({ points }) => {
    const [point] = points;
    const detail = { x: point.x, y: point.y, custom: point.customdata };
    place.dispatchEvent(new CustomEvent("chart:point", { bubbles: true, detail }));
  });
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) if (target.isConnected && target.clientWidth) window.Plotly?.Plots.resize(target);
});

function drawAll(scope) {
  const inside = scope.querySelectorAll?.("[data-chart]") ?? [];
  const places = scope.matches?.("[data-chart]") ? [scope, ...inside] : [...inside];
  places.forEach(draw);
}

// A part that only brings new figures (swapped out of band) redraws the charts that show them.
function drawNamed(source) {
  if (!source.id) return;
  document.querySelectorAll(`[data-chart="${CSS.escape(source.id)}"]`).forEach(draw);
}

document.addEventListener("htmx:load", (event) => {
  if (event.target.matches("script[type='application/json']")) drawNamed(event.target);
  else drawAll(event.target);
});
document.addEventListener("htmx:beforeCleanupElement", ({ target }) => {
  if (target.matches?.(".js-plotly-plot")) window.Plotly?.purge(target);
});
document.body.addEventListener("themechange", () => drawAll(document));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
drawAll(document);
