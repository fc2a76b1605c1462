// Draws the figures of a comparison's report, a file in which this text stands.

const figures = JSON.parse(document.getElementById("figures").textContent);
for (const [name, { data, layout }] of Object.entries(figures)) {
  const yaxis = { automargin: true, ...layout.yaxis };
  const margin = { t: 10, r: 20 };
  Plotly.newPlot(name, data, { margin, ...layout, yaxis }, { displayModeBar: false, responsive: true });
}
