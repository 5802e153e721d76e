// Draws the large charts, keeps relative times fresh, guards what a person types from live updates, and says when the
// connection is lost. Everything else is HTML from the server, swapped in by htmx.

/* global uPlot */

const MARKS = { promotion: '--mark-promotion', rollback: '--mark-rollback', retraining: '--mark-retraining', alert: '--mark-alert' };
const LINES = ['--line-1', '--line-2', '--line-3', '--line-4'];
const HEIGHT = 220;
const charts = new Map();

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function show(unit, value) {
  if (value == null) return '–';
  if (unit === 'seconds') return Math.abs(value) < 10 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(1)} s`;
  if (unit === 'ratio') return value.toFixed(3);
  return String(Number(value.toPrecision(4)));
}

function clock(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

// 24 hours, in UTC; the date where a day begins and at the left edge.
function times(_plot, ticks) {
  let day = '';
  return ticks.map((tick) => {
    const text = new Date(tick * 1000).toISOString();
    const seconds = ticks.length > 1 && ticks[1] - ticks[0] < 60;
    const time = text.slice(11, seconds ? 19 : 16);
    const first = text.slice(5, 10) !== day;
    day = text.slice(5, 10);
    return first ? `${time}\n${day}` : time;
  });
}

// Columns of uPlot: for each line its value, and where there is an interval also its two edges, which make the band.
function columns(chart) {
  const data = [chart.x];
  const series = [{}];
  const bands = [];
  chart.lines.forEach((line, index) => {
    const stroke = color(LINES[index % LINES.length]);
    series.push({ label: line.name, stroke, width: 2, spanGaps: false, points: { show: chart.x.length < 60, size: 4 } });
    data.push(line.value);
    if (line.low && line.high) {
      const at = series.length;
      const edge = { stroke: 'transparent', width: 0, spanGaps: false, points: { show: false } };
      series.push({ ...edge }, { ...edge });
      data.push(line.high, line.low);
      bands.push({ series: [at, at + 1], fill: `${stroke}30` });
    }
  });
  return { data, series, bands };
}

// Hatched stretches without data, the threshold, and what happened.
function underlay(chart) {
  return (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [from, to] of chart.gaps) {
      const left = plot.valToPos(from, 'x', true);
      const right = plot.valToPos(to, 'x', true);
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      ctx.strokeStyle = color('--hatch');
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      const pitch = 8 * devicePixelRatio;
      for (let x = left - bbox.height; x < right; x += pitch) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      ctx.restore();
    }
    ctx.restore();
  };
}

function overlay(chart) {
  return (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.lineWidth = 1.5 * devicePixelRatio;
    if (chart.threshold != null) {
      const y = plot.valToPos(chart.threshold, 'y', true);
      ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.strokeStyle = color('--threshold');
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.setLineDash([]);
    for (const mark of chart.marks) {
      const x = plot.valToPos(mark.x, 'x', true);
      ctx.strokeStyle = color(MARKS[mark.kind]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
}

// What the pointer is at, in words below the chart.
function readout(chart, element) {
  const text = document.createElement('p');
  text.className = 'readout dim';
  element.after(text);
  const rest = chart.lines.map((line) => line.name).join(', ');
  text.textContent = rest;
  const span = chart.x.length > 1 ? chart.x[chart.x.length - 1] - chart.x[0] : 0;
  return {
    text,
    hook: (plot) => {
      const at = plot.cursor.idx;
      if (at == null) {
        text.textContent = rest;
        return;
      }
      const parts = [chart.axis === 'time' ? clock(chart.x[at]) : `step ${chart.x[at]}`];
      for (const line of chart.lines) {
        if (line.value[at] == null) continue;
        const interval = line.low ? ` (95 %: ${show(chart.unit, line.low[at])}–${show(chart.unit, line.high[at])}, n ${line.n[at]})` : '';
        parts.push(`${line.name} ${show(chart.unit, line.value[at])}${interval}`);
      }
      if (parts.length === 1) parts.push('no data');
      for (const mark of chart.marks) if (Math.abs(mark.x - chart.x[at]) <= span / 60) parts.push(mark.label);
      text.textContent = parts.join(' · ');
    },
  };
}

function range(chart) {
  return (_plot, low, high) => {
    const values = chart.threshold == null ? [low, high] : [low, high, chart.threshold];
    const known = values.filter((value) => value != null && Number.isFinite(value));
    if (known.length === 0) return [0, 1];
    const least = Math.min(...known);
    const most = Math.max(...known);
    const room = Math.max((most - least) * 0.1, Math.abs(most) * 0.02, 1e-9);
    return [chart.unit === 'ratio' ? Math.max(0, least - room) : least - room, chart.unit === 'ratio' ? Math.min(1.005, most + room) : most + room];
  };
}

function draw(element) {
  const chart = JSON.parse(element.dataset.chart);
  const { data, series, bands } = columns(chart);
  const words = readout(chart, element);
  const axis = { stroke: color('--dim'), grid: { stroke: color('--grid'), width: 1 }, ticks: { stroke: color('--grid'), width: 1 }, font: '12px system-ui, sans-serif' };
  const plot = new uPlot(
    {
      width: Math.max(element.clientWidth, 120),
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: chart.axis === 'time', range: chart.range ? () => chart.range : undefined }, y: { range: range(chart) } },
      axes: [
        { ...axis, space: 64, values: chart.axis === 'time' ? times : undefined },
        { ...axis, size: 62, values: (_plot, ticks) => ticks.map((tick) => show(chart.unit, tick)) },
      ],
      series,
      bands,
      hooks: { drawAxes: [underlay(chart)], draw: [overlay(chart)], setCursor: [words.hook] },
    },
    data,
    element,
  );
  charts.set(element, { plot, words });
}

function drawAll() {
  for (const [element, { plot, words }] of charts) {
    if (!element.isConnected) {
      plot.destroy();
      words.text.remove();
      charts.delete(element);
    }
  }
  for (const element of document.querySelectorAll('[data-chart]')) if (!charts.has(element)) draw(element);
}

function redrawAll() {
  for (const [, { plot, words }] of charts) {
    plot.destroy();
    words.text.remove();
  }
  charts.clear();
  drawAll();
}

// The same words as the server's.
function length(seconds) {
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function tick() {
  if (document.hidden) return;
  const now = Date.now();
  for (const element of document.querySelectorAll('time[datetime]')) {
    const age = (now - Date.parse(element.dateTime)) / 1000;
    const text = age < 0 ? `in ${length(-age)}` : age < 2 ? 'just now' : `${length(age)} ago`;
    if (Number.isFinite(age) && element.textContent !== text) element.textContent = text;
  }
}

// A swap would take away what a person types, has chosen, or has selected: it waits for the next change.
function busy(target) {
  const focus = document.activeElement;
  if (focus && target.contains(focus) && focus.matches('input, select, textarea')) return true;
  for (const field of target.querySelectorAll('input:not([type=hidden]), textarea')) if (field.value !== '') return true;
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && target.contains(selection.anchorNode));
}

document.body.addEventListener('htmx:beforeSwap', (event) => {
  if (event.detail.xhr.status === 401) location.reload();
  if (busy(event.detail.target)) event.detail.shouldSwap = false;
});
document.body.addEventListener('htmx:afterSwap', () => {
  drawAll();
  tick();
});

const lost = document.getElementById('lost');
let heard = new Date();
document.body.addEventListener('htmx:sseError', () => {
  if (!lost.hidden) return;
  document.getElementById('lost-since').textContent = heard.toISOString().slice(11, 16);
  lost.hidden = false;
});
document.body.addEventListener('htmx:sseOpen', () => {
  lost.hidden = true;
  heard = new Date();
});
document.body.addEventListener('htmx:sseBeforeMessage', () => {
  heard = new Date();
});

let resizing = 0;
addEventListener('resize', () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => {
    for (const [element, { plot }] of charts) plot.setSize({ width: Math.max(element.clientWidth, 120), height: HEIGHT });
  }, 100);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawAll);
setInterval(tick, 1000);
drawAll();
